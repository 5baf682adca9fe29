"""The law: what is armed comes once, in the order of its moments, and not before."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from moored.keepers.restarts import Timers
from moored.model.exits import of_process
from moored.model.identity import ContainerId
from moored.model.restart import LONGEST_WAIT
from moored.model.state import Exited, Restarting
from tests.unit.samples import AT, snapshot

if TYPE_CHECKING:
    from moored.model.state import Snapshot

A, B = ContainerId(f"{1:032x}"), ContainerId(f"{2:032x}")


@dataclass
class Clock:
    """Stands still until it is told."""

    passed: float = 0.0

    def now(self) -> datetime:
        return AT + timedelta(seconds=self.passed)

    def seconds(self) -> float:
        return self.passed


def waiting(number: int, seconds: float) -> Snapshot:
    due = AT + timedelta(seconds=seconds)
    return replace(snapshot(number), state=Restarting(of_process(1, AT), due, 1))


async def soon(timers: Timers) -> tuple[ContainerId, datetime]:
    async with asyncio.timeout(10):
        return await timers.next()


async def test_the_earliest_comes_first_and_each_once() -> None:
    clock = Clock()
    timers = Timers(clock=clock)
    timers.arm(waiting(1, 20))
    timers.arm(waiting(2, 10))
    clock.passed = 30
    assert await soon(timers) == (B, AT + timedelta(seconds=10))
    assert await soon(timers) == (A, AT + timedelta(seconds=20))
    later = asyncio.ensure_future(timers.next())
    await asyncio.wait([later], timeout=0)
    assert not later.done()
    later.cancel()


async def test_what_is_armed_anew_comes_at_its_new_moment_only() -> None:
    clock = Clock()
    timers = Timers(clock=clock)
    timers.arm(waiting(1, 10))
    timers.arm(waiting(1, 20))
    timers.arm(waiting(2, 15))
    clock.passed = 30
    assert await soon(timers) == (B, AT + timedelta(seconds=15))
    assert await soon(timers) == (A, AT + timedelta(seconds=20))


async def test_one_that_is_armed_later_wakes_who_waits() -> None:
    timers = Timers(clock=Clock())
    timers.arm(waiting(1, 50))
    first = asyncio.ensure_future(timers.next())
    await asyncio.wait([first], timeout=0)
    timers.arm(waiting(2, 0))
    async with asyncio.timeout(10):
        assert (await first)[0] == B


async def test_what_was_due_in_the_past_comes_at_once() -> None:
    timers = Timers(clock=Clock())
    timers.arm(waiting(1, -3600))
    assert (await soon(timers))[0] == A


async def test_a_clock_that_was_put_back_does_not_make_a_wait_longer_than_any() -> None:
    clock = Clock()
    timers = Timers(clock=clock)
    timers.arm(waiting(1, 1_000_000))
    clock.passed = LONGEST_WAIT.total_seconds()
    assert (await soon(timers))[0] == A


async def test_a_container_that_waits_for_nothing_is_not_armed() -> None:
    timers = Timers(clock=Clock())
    timers.arm(replace(snapshot(1), state=Exited(of_process(0, AT))))
    timers.arm(waiting(2, 0))
    assert (await soon(timers))[0] == B
