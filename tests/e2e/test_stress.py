"""Many callers at once, in no order: true exits, one run at a time, no deadlock, nothing left.

A short selection runs with all tests; the whole of it takes minutes.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import grpc
import grpc.aio
import pytest

from moorage.v1 import container_pb2, container_service_pb2
from tests.outside import processes
from tests.real.agreement import assert_agreement, ledger_resources, settled_container
from tests.real.specs import sleeper
from tests.real.wire import CALL_WITHIN, Wire, refusal, refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.real.moored import Moored
    from tests.real.runtime import GatedRuntime
    from tests.real.site import Site

pytestmark = pytest.mark.real

PROCESS = container_pb2.EXIT_ORIGIN_PROCESS
SIGNAL = container_pb2.EXIT_ORIGIN_SIGNAL
START_FAILURE = container_pb2.EXIT_ORIGIN_START_FAILURE
AT_A_TIME = 8
SEED = 9
EXPECTED = {
    "CONTAINER_NOT_FOUND",
    "CONTAINER_NOT_RUNNING",
    "CONTAINER_PAUSED",
    "CONTAINER_REMOVING",
    "CONTAINER_RUNNING",
    "CONTAINER_STOPPING",
    "NAME_TAKEN",
    "PREEMPTED_BY_CLEANUP",
}
"""What verbs may answer one another; a container may have been stranded for a moment."""
Verdict: TypeAlias = tuple[int, int]
"""A code, and where it came from."""
Made = TypeVar("Made")


def _long(value: int) -> object:
    return pytest.param(value, marks=[pytest.mark.soak, pytest.mark.timeout(900)])


@pytest.mark.parametrize("seconds", [8, _long(120)])
async def test_callers_at_random_leave_no_deadlock_no_illegal_state_and_nothing_behind(
    site: Site, own_moored: Moored, own_wire: Wire, seconds: int
) -> None:
    before = site.look()
    names = [f"storm-{number}" for number in range(20)]
    deadline = time.monotonic() + seconds
    took: list[float] = []
    async with asyncio.TaskGroup() as callers:
        for number in range(16):
            callers.create_task(_caller(own_wire, names, random.Random(SEED + number), deadline))
        callers.create_task(_reader(own_moored, names, deadline, took))
    took.sort()
    print(f"{len(took)} Inspects, p99 {1000 * took[len(took) * 99 // 100]:.1f} ms")
    for container in await own_wire.list():
        rested = await settled_container(own_wire, container.id)
        if rested is not None and rested.status.state != container_pb2.CONTAINER_STATE_PAUSED:
            assert_agreement(rested, own_moored, site.containerd)
        await own_wire.remove(container.id)
    assert site.changes_since(before) == []
    assert ledger_resources(own_moored) == set()


async def _caller(wire: Wire, names: list[str], chance: random.Random, deadline: float) -> None:
    containers: Any = wire.containers
    wanted = container_service_pb2
    requests: tuple[tuple[Any, Callable[[str], Any]], ...] = (
        (containers.Start, lambda c: wanted.StartRequest(spec=sleeper(name=c))),
        (containers.Start, lambda c: wanted.StartRequest(container=c)),
        (containers.Stop, _stop_at_once),
        (containers.Pause, lambda c: wanted.PauseRequest(container=c)),
        (containers.Resume, lambda c: wanted.ResumeRequest(container=c)),
        (containers.Cleanup, lambda c: wanted.CleanupRequest(container=c, force=True)),
        (containers.Cleanup, lambda c: wanted.CleanupRequest(container=c, force=True, remove=True)),
    )
    while time.monotonic() < deadline:
        call, request = chance.choice(requests)
        try:
            await call(request(chance.choice(names)), timeout=CALL_WITHIN)
        except grpc.aio.AioRpcError as error:
            if refusal(error).reason not in EXPECTED:
                raise AssertionError(str(refusal(error))) from error


def _stop_at_once(container: str) -> container_service_pb2.StopRequest:
    request = container_service_pb2.StopRequest(container=container)
    request.timeout.FromMilliseconds(0)
    return request


async def _reader(moored: Moored, names: list[str], deadline: float, took: list[float]) -> None:
    """Inspect by a connection of its own: revisions never go back, whatever happens."""
    revisions: dict[str, int] = {}
    async with Wire(moored.address) as wire:
        while time.monotonic() < deadline:
            for name in names:
                began = time.perf_counter()
                try:
                    container = await wire.inspect(name)
                except grpc.aio.AioRpcError as error:
                    if error.code() is not grpc.StatusCode.NOT_FOUND:
                        raise
                else:
                    assert container.revision >= revisions.get(container.id, 0)
                    revisions[container.id] = container.revision
                took.append(time.perf_counter() - began)


@pytest.mark.parametrize("verb", ["create", "start"])
async def test_a_cleanup_waits_for_no_more_than_the_step_that_a_start_is_held_in(
    site: Site, wire: Wire, gate: GatedRuntime, verb: str
) -> None:
    before = site.look()
    container = await wire.create(sleeper(runtime="gated"))
    with gate.holding(verb):
        starting = asyncio.create_task(refused(wire.start(container.id)))
        await gate.arrival()
        cleaning = asyncio.create_task(wire.cleanup(container.id))
        for _ in range(3):  # calls of one connection arrive in order: the cleanup has begun
            await wire.inspect(container.id)
    released = time.monotonic()
    answer = await cleaning
    print(f"cleaned up {time.monotonic() - released:.2f} s after {verb} was let go")
    refusal_ = await starting
    assert (refusal_.code, refusal_.reason) == (grpc.StatusCode.ABORTED, "PREEMPTED_BY_CLEANUP")
    assert answer.complete
    assert site.changes_since(before) == []


async def test_of_fifty_starts_of_one_container_one_makes_its_run(wire: Wire) -> None:
    async with wire.created(sleeper()) as container:
        answers = await asyncio.gather(*(wire.start(container.id) for _ in range(50)))
        assert {answer.container.status.run for answer in answers} == {1}
        assert sum(not answer.already_running for answer in answers) == 1
        assert processes.is_alive(answers[0].container.status.pid)
