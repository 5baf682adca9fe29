"""The gate: so many at once, first come first served, and nobody waits for ever."""

from __future__ import annotations

import asyncio

import pytest

from moored import errors
from moored.verbs.gate import Gate

NO_HURRY = asyncio.Event


async def test_as_many_enter_as_it_is_wide_and_the_next_waits_its_turn() -> None:
    gate = Gate(2, patience=5)
    await gate.enter(NO_HURRY())
    await gate.enter(NO_HURRY())
    third = asyncio.create_task(gate.enter(NO_HURRY()))
    await asyncio.sleep(0)
    assert not third.done()
    gate.leave()
    await asyncio.wait_for(third, 5)


async def test_who_waits_too_long_is_told_when_to_come_again() -> None:
    gate = Gate(1, patience=0.01)
    await gate.enter(NO_HURRY())
    with pytest.raises(errors.StartQueueFull) as caught:
        await gate.enter(NO_HURRY())
    assert caught.value.retry_after == 0.01
    gate.leave()
    await gate.enter(NO_HURRY())


async def test_a_cleanup_ends_the_wait() -> None:
    gate, hurry = Gate(1, patience=5), asyncio.Event()
    await gate.enter(NO_HURRY())
    waiting = asyncio.create_task(gate.enter(hurry))
    await asyncio.sleep(0)
    hurry.set()
    with pytest.raises(errors.PreemptedByCleanup):
        await asyncio.wait_for(waiting, 5)


async def test_a_cancelled_wait_takes_no_turn_with_it() -> None:
    gate = Gate(1, patience=5)
    await gate.enter(NO_HURRY())
    first = asyncio.create_task(gate.enter(NO_HURRY()))
    second = asyncio.create_task(gate.enter(NO_HURRY()))
    await asyncio.sleep(0)
    first.cancel()
    gate.leave()
    await asyncio.wait_for(second, 5)
    assert first.cancelled()


async def test_a_turn_that_comes_with_the_cancel_goes_to_the_next() -> None:
    gate = Gate(1, patience=5)
    await gate.enter(NO_HURRY())
    first = asyncio.create_task(gate.enter(NO_HURRY()))
    second = asyncio.create_task(gate.enter(NO_HURRY()))
    await asyncio.sleep(0)
    gate.leave()
    first.cancel()
    await asyncio.wait_for(second, 5)
