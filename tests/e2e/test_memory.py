"""A container over its memory ends out of memory, and only one that the kernel killed does.

Row S38 of what these behaviours descend from.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from moorage.v1 import container_pb2, container_service_pb2, event_pb2
from tests.outside import processes
from tests.real.deadlines import eventually
from tests.real.specs import shell, sleeper
from tests.real.wire import refused

if TYPE_CHECKING:
    from moorage.v1.container_pb2 import Container
    from tests.real.moored import Moored
    from tests.real.wire import Wire

pytestmark = pytest.mark.real

EXITED = container_pb2.CONTAINER_STATE_EXITED
OOM = container_pb2.EXIT_ORIGIN_OOM
SIGNAL = container_pb2.EXIT_ORIGIN_SIGNAL
PROCESS = container_pb2.EXIT_ORIGIN_PROCESS
WITHIN = 60.0
LIMIT = container_pb2.Resources(memory_limit=16 * 2**20)
GREEDY = "dd if=/dev/zero of=/dev/null bs=64M count=1"
"""Wants 64 MiB at once."""


async def kinds(wire: Wire, container: Container, last: int) -> list[int]:
    """Return what happened to the container, up to and with an event of the kind ``last``."""
    filter_ = container_service_pb2.ContainerFilter(names=[container.name])
    request = container_service_pb2.WatchRequest(since_revision=0, filter=filter_)
    call = wire.containers.Watch(request, timeout=WITHIN)
    found: list[int] = []
    try:
        async for answer in call:
            if answer.event.container == container.id:
                found.append(answer.event.kind)
                if found[-1] == last:
                    return found
    finally:
        call.cancel()
    raise AssertionError(f"ended after {found}")


async def test_s38_one_over_its_limit_ends_out_of_memory(wire: Wire) -> None:
    spec = shell(f"exec {GREEDY}", name="s38-over", resources=LIMIT)
    async with wire.running(spec) as container:
        ended = (await wire.wait(container.id)).status
        assert (ended.exit.origin, ended.exit.code, ended.exit.signal) == (OOM, 137, 0)
        told = await kinds(wire, container, event_pb2.EVENT_KIND_EXITED)
        assert told.count(event_pb2.EVENT_KIND_OUT_OF_MEMORY) == 1


async def test_s38_one_whose_child_was_killed_and_that_ended_by_itself_does_not(
    wire: Wire,
) -> None:
    spec = shell(f"{GREEDY}; exit 3", name="s38-child", resources=LIMIT)
    async with wire.running(spec) as container:
        ended = (await wire.wait(container.id)).status
        assert (ended.exit.origin, ended.exit.code) == (PROCESS, 3)
        told = await kinds(wire, container, event_pb2.EVENT_KIND_EXITED)
        assert told.count(event_pb2.EVENT_KIND_OUT_OF_MEMORY) == 1


async def test_s38_a_child_that_is_killed_is_told_while_the_container_runs(wire: Wire) -> None:
    spec = shell(f"{GREEDY}; echo after; sleep 100000", name="s38-lives", resources=LIMIT)
    async with wire.running(spec) as container:
        told = await kinds(wire, container, event_pb2.EVENT_KIND_OUT_OF_MEMORY)
        assert event_pb2.EVENT_KIND_EXITED not in told
        state = (await wire.inspect(container.id)).status.state
        assert state == container_pb2.CONTAINER_STATE_RUNNING


async def test_one_that_saw_a_kill_and_was_then_stopped_by_us_does_not(wire: Wire) -> None:
    spec = shell(f"trap '' TERM; {GREEDY}; echo ready; sleep 100000", resources=LIMIT)
    async with wire.running(spec) as container:
        await wire.until_printed(container.id, "ready")
        stopped = (await wire.stop(container.id, grace=0.1)).container.status
        assert (stopped.exit.origin, stopped.exit.signal) == (SIGNAL, 9)


async def test_one_that_somebody_kills_within_its_limit_does_not(wire: Wire) -> None:
    async with wire.running(sleeper(resources=LIMIT)) as container:
        processes.end(container.status.pid, signal.SIGKILL)
        ended = (await wire.wait(container.id)).status
        assert (ended.exit.origin, ended.exit.signal) == (SIGNAL, 9)


async def test_one_that_died_of_it_while_no_server_ran_is_told_as_such(
    own_moored: Moored, own_wire: Wire
) -> None:
    spec = shell(f"trap 'exec {GREEDY}' USR1; echo ready; sleep 100000 & wait", resources=LIMIT)
    async with own_wire.running(spec) as container:
        await own_wire.until_printed(container.id, "ready")
        own_moored.kill()
        processes.end(container.status.pid, signal.SIGUSR1)
        await eventually(lambda: not processes.is_alive(container.status.pid), "it is dead")
        own_moored.start()
        ended = (await own_wire.wait(container.id)).status
        assert (ended.exit.origin, ended.exit.code) == (OOM, 137)


async def test_out_of_memory_is_a_failure_to_a_restart_policy(wire: Wire) -> None:
    policy = container_pb2.RestartPolicy(
        condition=container_pb2.RESTART_CONDITION_ON_FAILURE, max_retries=1
    )
    spec = shell(f"exec {GREEDY}", resources=LIMIT, restart_policy=policy)
    async with wire.running(spec) as container:
        ended = (await wire.wait(container.id)).status
        assert (ended.state, ended.run, ended.exit.origin) == (EXITED, 2, OOM)


@pytest.mark.parametrize("limit", [-1, 1, 6 * 2**20 - 1, 2**60])
async def test_a_limit_that_no_container_can_live_in_is_refused(wire: Wire, limit: int) -> None:
    spec = sleeper(resources=container_pb2.Resources(memory_limit=limit))
    refusal = await refused(wire.create(spec))
    assert (refusal.reason, refusal.fields) == ("INVALID_FIELD", ("spec.resources.memory_limit",))


async def test_the_smallest_limit_is_enough_to_start(wire: Wire) -> None:
    smallest = container_pb2.Resources(memory_limit=6 * 2**20)
    async with wire.running(sleeper(resources=smallest)) as container:
        assert container.status.state == container_pb2.CONTAINER_STATE_RUNNING
        assert container.spec.resources == smallest
