"""The law: a connection that grows old is replaced under load, and no call is lost by that.

With a grace that is longer than any call nobody notices: calls go on by new connections, streams
by the old ones. What outlives a short grace hears UNAVAILABLE and no other code, is answered when
it is asked again by the same request, and has happened once.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest
from grpc_channelz.v1 import channelz_pb2, channelz_pb2_grpc

from moorage import Client
from moorage.v1 import event_pb2
from tests.real.crowd import STREAMS, Crowd
from tests.real.deadlines import eventually
from tests.real.shutdown import TALKS, check, remove_all
from tests.real.specs import shell
from tests.real.wire import CALL_WITHIN, Wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.real.moored import Moored
    from tests.real.site import Site

pytestmark = pytest.mark.real

AGE = 1.0
CHANNELS = 4
RATE = 80.0


def aging(site: Site, grace: str) -> Moored:
    settings = {"connection_age": f"{AGE:g}s", "connection_age_grace": grace, "channelz": "true"}
    return site.start_moored(settings)


@asynccontextmanager
async def crowded(moored: Moored) -> AsyncIterator[Crowd]:
    """A crowd that has a container, and channels of its own; what it made goes with it."""
    async with AsyncExitStack() as stack:
        wires = [await stack.enter_async_context(Wire(moored.address)) for _ in range(CHANNELS)]
        async with wires[0].running(shell(TALKS)) as container:
            crowd = Crowd(wires, container.id, f"crowd-{secrets.token_hex(3)}")
            yield crowd
            await remove_all(crowd, wires[0])


async def test_nobody_notices_where_the_grace_is_longer_than_any_call(site: Site) -> None:
    moored = aging(site, "5m")
    async with crowded(moored) as crowd:
        listening = asyncio.create_task(crowd.listen(len(STREAMS) * CHANNELS))
        async with asyncio.TaskGroup() as callers:
            callers.create_task(crowd.call(RATE))
            # Those of the streams, and one after another beside them.
            old_and_new = partial(_has_connections, crowd.wires[0], 2 * CHANNELS)
            await eventually(old_and_new, "connections are replaced", within=CALL_WITHIN)
            crowd.over.set()
        assert crowd.refusals == []
        assert len(crowd.streams) == crowd.listening
        listening.cancel()
        await asyncio.wait([listening])
    moored.stop()


async def test_what_outlives_the_grace_is_told_to_ask_again_and_happens_once(site: Site) -> None:
    moored = aging(site, "0.5s")
    made = Counter[str]()
    async with crowded(moored) as crowd, Client(moored.address) as client:
        watching = asyncio.create_task(_names_of(client, made))
        async with asyncio.TaskGroup() as callers:
            callers.create_task(crowd.call(RATE))
            for _ in range(2):
                await crowd.listen(len(STREAMS))  # returns once all of them were cut off
            crowd.over.set()
        await check(crowd, crowd.wires[0])
        wanted = [asked.answer.container.name for asked in crowd.answers("Create")]
        await eventually(partial(_has_all, made, wanted), "all are seen by a watch that resumes")
        assert set(made.values()) == {1}
        watching.cancel()
        await asyncio.wait([watching])
    moored.stop()


async def _has_connections(wire: Wire, many: int) -> bool:
    """Return whether the server has that many at this moment, by its own count."""
    stub = channelz_pb2_grpc.ChannelzStub(wire.channel)
    (server,) = (await stub.GetServers(channelz_pb2.GetServersRequest())).server
    request = channelz_pb2.GetServerSocketsRequest(server_id=server.ref.server_id)
    return len((await stub.GetServerSockets(request)).socket_ref) >= many


async def _names_of(client: Client, made: Counter[str]) -> None:
    """Note the name of each container that is created."""
    async for item in client.watch(patience=timedelta(seconds=CALL_WITHIN)):
        if item.event.kind == event_pb2.EVENT_KIND_CREATED:
            made[item.event.name] += 1


async def _has_all(made: Counter[str], wanted: list[str]) -> bool:
    return set(wanted) <= set(made)
