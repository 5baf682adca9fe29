"""containerd is away: killed, ended, or hung. Reads go on, changes wait as long as their callers,
nothing is decided from its silence, and when it is back so is everything, without a restart.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

import grpc
import grpc.aio
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2
from grpc_status import rpc_status

from moorage.v1 import container_pb2, container_service_pb2
from tests.outside import processes
from tests.real.agreement import assert_agreement, settled_container
from tests.real.deadlines import eventually
from tests.real.specs import OBEYS, shell, sleeper
from tests.real.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.real.site import Site

pytestmark = pytest.mark.real

RUNNING = container_pb2.CONTAINER_STATE_RUNNING
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
PATIENCE: Final = 2.0
"""Seconds that a caller waits."""
NOTICED_WITHIN: Final = 20.0
LIMITS: Final = {"step_timeout": "3s", "undo_timeout": "3s"}


async def serving(wire: Wire, service: str, status: int) -> bool:
    check: grpc.aio.UnaryUnaryMultiCallable[
        health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse
    ] = wire.channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )
    answer = await check(health_pb2.HealthCheckRequest(service=service), timeout=PATIENCE)
    return bool(answer.status == status)


async def why_not(call: Awaitable[object]) -> tuple[grpc.StatusCode, bool]:
    """Return how a call was refused, and whether it says when to try again."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    status = rpc_status.from_call(caught.value)  # type: ignore[arg-type]  # it has all it asks for
    details = status.details if status else ()
    return caught.value.code(), any(d.Is(error_details_pb2.RetryInfo.DESCRIPTOR) for d in details)


def _kill(site: Site) -> None:
    site.containerd.kill()


def _stop(site: Site) -> None:
    site.containerd.stop()


def _hang(site: Site) -> None:
    site.containerd.pause()


@pytest.mark.parametrize("leave", [pytest.param(_kill, marks=pytest.mark.soak), _stop, _hang])
async def test_while_it_is_away_reads_go_on_changes_wait_and_nobody_dies(
    own_site: Site, leave: Callable[[Site], None]
) -> None:
    daemon = own_site.start_moored(LIMITS)
    before = own_site.look()
    async with Wire(daemon.address) as wire:
        stays, goes = await wire.run(shell(OBEYS)), await wire.run(shell(OBEYS))
        for container in (stays, goes):
            await wire.until_printed(container.id, "ready")
        rests = await wire.create(sleeper(name="rests"))
        leave(own_site)
        absent = partial(serving, wire, "moorage.runtime", NOT_SERVING)
        await eventually(absent, "it is missed", within=NOTICED_WITHIN)
        assert await serving(wire, "moorage.v1.ContainerService", SERVING)
        assert {c.status.state for c in await wire.list()} >= {RUNNING}

        start = container_service_pb2.StartRequest(container=rests.id)
        assert await why_not(wire.containers.Start(start)) == (grpc.StatusCode.UNAVAILABLE, True)
        kill = container_service_pb2.KillRequest(container=stays.id, signal="USR2")
        in_time = await why_not(wire.containers.Kill(kill, timeout=PATIENCE))
        assert in_time[0] in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
        processes.end(goes.status.pid)
        for container in (stays, goes):
            assert (await wire.inspect(container.id)).status.state == RUNNING
        assert processes.is_alive(stays.status.pid)

        own_site.containerd.recover()
        there = partial(serving, wire, "moorage.runtime", SERVING)
        await eventually(there, "it is noticed again", within=NOTICED_WITHIN)
        assert (await wire.wait(goes.id)).status.exit.code == 7
        found = await settled_container(wire, stays.id)
        assert found is not None
        assert assert_agreement(found, daemon, own_site.containerd)
        await settled_container(wire, rests.id)
        assert (await wire.start(rests.id)).container.status.state == RUNNING
        for container in (stays, goes, rests):
            await wire.remove(container.id)
    assert own_site.changes_since(before) == []


async def test_a_change_that_its_caller_waits_for_is_done_once_it_is_back(own_site: Site) -> None:
    daemon = own_site.start_moored()
    async with Wire(daemon.address) as wire:
        rests = await wire.create(sleeper())
        own_site.containerd.pause()
        starting = asyncio.create_task(wire.start(rests.id))
        absent = partial(serving, wire, "moorage.runtime", NOT_SERVING)
        await eventually(absent, "it is missed", within=NOTICED_WITHIN)
        assert not starting.done()
        own_site.containerd.resume()
        assert (await starting).container.status.state == RUNNING
        await wire.remove(rests.id)
