"""The law: what a connection may cost has limits, and who passes one is told so."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
from functools import partial
from typing import TYPE_CHECKING

import grpc
import grpc.aio
import pytest
from grpc_channelz.v1 import channelz_pb2, channelz_pb2_grpc

from moorage.v1 import container_pb2, container_service_pb2, container_service_pb2_grpc
from tests.real.deadlines import eventually
from tests.real.grpcurl import BINARY
from tests.real.specs import sleeper
from tests.real.wire import CALL_WITHIN, Wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.real.moored import Moored
    from tests.real.site import Site

pytestmark = pytest.mark.real

WITHIN = 30.0
STREAMS = 4
TURNS = 20
"""Calls of others that are answered while one waits for its turn."""
LIMITS = {
    "largest_message": "1MiB",
    "largest_metadata": "8KiB",
    "streams_per_connection": str(STREAMS),
    "keepalive_least_interval": "5m",
    "channelz": "true",
}


@pytest.fixture(scope="module")
def limited(site: Site) -> Moored:
    return site.start_moored(LIMITS)


@pytest.fixture
async def channel(limited: Moored) -> AsyncIterator[grpc.aio.Channel]:
    options = (("grpc.use_local_subchannel_pool", 1),)
    async with grpc.aio.insecure_channel(limited.address.replace("//", ""), options) as opened:
        yield opened


def stub(channel: grpc.aio.Channel) -> container_service_pb2_grpc.ContainerServiceAsyncStub:
    return container_service_pb2_grpc.ContainerServiceStub(channel)


async def test_a_message_that_is_too_large_is_refused(channel: grpc.aio.Channel) -> None:
    spec = container_pb2.ContainerSpec(image="busybox", command=["x" * 1_100_000])
    request = container_service_pb2.StartRequest(spec=spec)
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await stub(channel).Start(request, timeout=CALL_WITHIN)
    assert refusal.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_metadata_that_is_too_large_is_refused(channel: grpc.aio.Channel) -> None:
    request = container_service_pb2.ListRequest()
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await stub(channel).List(request, metadata=[("x-much", "y" * 9000)], timeout=CALL_WITHIN)
    assert refusal.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_more_calls_at_once_than_a_connection_may_have_wait_for_their_turn(
    limited: Moored,
) -> None:
    async with Wire(limited.address) as wire, wire.running(sleeper()) as box:
        options = (("grpc.use_local_subchannel_pool", 1),)
        async with grpc.aio.insecure_channel(limited.address.replace("//", ""), options) as own:
            waiting = container_service_pb2.WaitRequest(container=box.id)
            held = [stub(own).Wait(waiting, timeout=CALL_WITHIN) for _ in range(STREAMS)]
            await eventually(partial(_arrived, wire, STREAMS), "all of them wait")
            request = container_service_pb2.InspectRequest(container=box.id)
            further = stub(own).Inspect(request, timeout=CALL_WITHIN)
            for _ in range(TURNS):
                await wire.inspect(box.id)
            assert not further.done()
            held.pop().cancel()
            assert (await further).container.id == box.id
            for call in held:
                call.cancel()


async def _arrived(wire: Wire, many: int) -> bool:
    """Return whether so many calls are under way beside this one."""
    channelz = channelz_pb2_grpc.ChannelzStub(wire.channel)
    (server,) = (await channelz.GetServers(channelz_pb2.GetServersRequest())).server
    data = server.data
    under_way: int = data.calls_started - data.calls_succeeded - data.calls_failed
    return under_way > many


async def test_who_asks_for_signs_of_life_all_the_time_is_cut_off(limited: Moored) -> None:
    """Spoken by hand: no client of gRPC's does this."""
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    settings, ping = b"\0\0\0\x04\0\0\0\0\0", b"\0\0\x08\x06\0\0\0\0\0" + b"12345678"

    def ask() -> bytes:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(WITHIN)
            line.connect(str(limited.socket))
            line.sendall(preface + settings)
            heard = b""
            while b"too_many_pings" not in heard:
                line.sendall(ping)
                part = line.recv(65536)
                if not part:
                    return heard
                heard += part
            return heard

    assert b"too_many_pings" in await asyncio.to_thread(ask)


@pytest.mark.parametrize("wanted", [True, False])
async def test_channelz_shows_connections_where_it_is_asked_for(site: Site, wanted: bool) -> None:
    daemon = site.start_moored({"channelz": str(wanted).lower()})
    method = "grpc.channelz.v1.Channelz/GetServers"
    said = await asyncio.to_thread(
        subprocess.run,
        [str(BINARY), "-plaintext", "-unix", str(daemon.socket), method],
        capture_output=True,
        text=True,
        timeout=WITHIN,
    )
    daemon.stop()
    if not wanted:
        assert "does not expose service" in said.stderr
        return
    (server,) = json.loads(said.stdout)["server"]
    (listening,) = server["listen_socket"]
    assert str(daemon.socket) in listening["name"]
    assert int(server["data"]["calls_started"]) > 0
