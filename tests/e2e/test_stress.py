"""Many callers at once, in no order: true exits, one run at a time, no deadlock, nothing left.

A short selection runs with all tests; the whole of it takes minutes.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import grpc
import grpc.aio
import pytest

from moorage.v1 import container_pb2
from tests.outside import processes
from tests.real.agreement import assert_agreement, ledger_resources, settled_container
from tests.real.specs import sleeper
from tests.real.storm import NAMES, storm
from tests.real.wire import Wire, refused

if TYPE_CHECKING:
    from tests.real.moored import Moored
    from tests.real.runtime import GatedRuntime
    from tests.real.site import Site

pytestmark = pytest.mark.real

PROCESS = container_pb2.EXIT_ORIGIN_PROCESS
SIGNAL = container_pb2.EXIT_ORIGIN_SIGNAL
START_FAILURE = container_pb2.EXIT_ORIGIN_START_FAILURE
AT_A_TIME = 8
SEED = 9
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
    await asyncio.gather(storm(own_wire, seconds), _read_on(own_moored, seconds))
    for container in await own_wire.list():
        rested = await settled_container(own_wire, container.id)
        if rested is not None and rested.status.state != container_pb2.CONTAINER_STATE_PAUSED:
            assert_agreement(rested, own_moored, site.containerd)
        await own_wire.remove(container.id)
    assert site.changes_since(before) == []
    assert ledger_resources(own_moored) == set()


async def _read_on(moored: Moored, seconds: float) -> None:
    """Inspect by a connection of its own: revisions never go back, whatever happens."""
    revisions: dict[str, int] = {}
    deadline = time.monotonic() + seconds
    async with Wire(moored.address) as wire:
        while time.monotonic() < deadline:
            for name in NAMES:
                try:
                    container = await wire.inspect(name)
                except grpc.aio.AioRpcError as error:
                    if error.code() is not grpc.StatusCode.NOT_FOUND:
                        raise
                else:
                    assert container.revision >= revisions.get(container.id, 0)
                    revisions[container.id] = container.revision


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
