"""Envoy sees a moored that drains and one that is back; meanwhile nobody's call fails."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import grpc
import pytest

from moorage.v1 import container_service_pb2 as service
from tests.real.deadlines import eventually
from tests.real.shutdown import shut_down_among
from tests.real.specs import sleeper
from tests.real.wire import CALL_WITHIN, refused

if TYPE_CHECKING:
    from tests.envoy.conftest import Mesh
    from tests.envoy.process import Envoy
    from tests.envoy.sample import Bootstrap
    from tests.real.moored import Moored
    from tests.real.runtime import GatedRuntime

pytestmark = pytest.mark.real

HEALTHY = "cluster.moored.membership_healthy"


def looking_often(bootstrap: Bootstrap) -> None:
    bootstrap.look_often()


def passing_over_the_unhealthy(bootstrap: Bootstrap) -> None:
    bootstrap.look_often()
    bootstrap.moored["common_lb_config"]["healthy_panic_threshold"] = {"value": 0}


async def healthy(envoy: Envoy, hosts: int) -> None:
    await eventually(lambda: envoy.counted(HEALTHY) == hosts, f"{hosts} are healthy")


async def test_a_drain_with_the_only_moored_fails_no_call(
    own_mesh: Mesh, own_moored_behind: Moored, gate: GatedRuntime
) -> None:
    with own_mesh.front(looking_often) as envoy:
        async with own_mesh.wire(envoy) as wire:
            await healthy(envoy, 1)
            with gate.holding("create"):
                held = service.StartRequest(spec=sleeper(runtime="gated"), request_id="held")
                starting = wire.containers.Start(held, timeout=CALL_WITHIN)
                assert await gate.arrival() == "create"
                own_moored_behind.terminate()
                await healthy(envoy, 0)
                assert len(await wire.list()) == 1, "what reads is answered to the end"
                later = service.CreateRequest(spec=sleeper(), request_id="later")
                creating = wire.containers.Create(later, timeout=CALL_WITHIN)
                retried = "cluster.moored.upstream_rq_retry"
                await eventually(lambda: envoy.counted(retried) > 0, "it is asked again")
            started = (await starting).container
            assert own_moored_behind.await_end() == 0
            own_moored_behind.start()
            created = (await creating).container
            await healthy(envoy, 1)
            assert {c.id for c in await wire.list()} == {started.id, created.id}
            for container in (started, created):
                await wire.remove(container.id)


async def test_a_moored_that_drains_is_out_of_rotation_until_it_is_back(
    own_mesh: Mesh, own_moored_behind: Moored, gate: GatedRuntime
) -> None:
    with own_mesh.front(passing_over_the_unhealthy) as envoy:
        async with own_mesh.wire(envoy) as wire:
            await healthy(envoy, 1)
            with gate.holding("create"):
                held = service.StartRequest(spec=sleeper(runtime="gated"), request_id="held")
                starting = wire.containers.Start(held, timeout=CALL_WITHIN)
                assert await gate.arrival() == "create"
                own_moored_behind.terminate()
                await healthy(envoy, 0)
                found = await refused(wire.containers.List(service.ListRequest(), timeout=10))
                assert found.code is grpc.StatusCode.UNAVAILABLE
                assert found.message == "no healthy upstream"
            started = (await starting).container
            assert await asyncio.to_thread(own_moored_behind.await_end) == 0
            own_moored_behind.start()
            await healthy(envoy, 1)
            await wire.remove(started.id)


async def test_a_crowd_behind_envoy_sees_nothing_of_a_restart_but_the_end_of_its_streams(
    own_mesh: Mesh, own_moored_behind: Moored
) -> None:
    with own_mesh.front() as envoy:
        crowd = await shut_down_among(
            own_moored_behind, lambda: own_mesh.wire(envoy), streams=12, rate=50, calm=3
        )
        assert [asked for asked in crowd.asked if asked.refused] == []


@pytest.mark.soak
@pytest.mark.timeout(900)
async def test_five_times_among_fifty_streams_and_two_hundred_calls_a_second(
    own_mesh: Mesh, own_moored_behind: Moored
) -> None:
    told: Counter[tuple[str, str]] = Counter()
    with own_mesh.front() as envoy:
        for _ in range(5):
            crowd = await shut_down_among(
                own_moored_behind, lambda: own_mesh.wire(envoy), streams=50, rate=200, calm=3
            )
            told.update((refused.code.name, refused.reason) for _, refused in crowd.refusals)
            told["calls", "answered"] += len([asked for asked in crowd.asked if not asked.refused])
    print(told)
    assert told["UNAVAILABLE", "SHUTTING_DOWN"] >= 250
