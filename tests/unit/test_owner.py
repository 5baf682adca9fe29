"""Owned tasks: they end by themselves, whoever stops waiting, and are waited for at the end."""

from __future__ import annotations

import asyncio

import pytest
from loguru import logger

from moored.errors import RuntimeRefused
from moored.owner import Owner
from moored.uninterrupted import in_thread, uninterrupted


async def test_work_goes_on_when_its_caller_goes_away() -> None:
    owner, begun, go, done = Owner(), asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        await go.wait()
        done.set()

    caller = asyncio.create_task(owner.join(work(), "work", may_cancel=lambda: False))
    await begun.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    go.set()
    assert await owner.drain(5, undone_within=5) == 0
    assert done.is_set()


async def test_work_that_may_be_cancelled_has_ended_before_its_caller_hears_of_it() -> None:
    owner, begun, ended = Owner(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.set()

    caller = asyncio.create_task(owner.join(work(), "work", may_cancel=lambda: True))
    await begun.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert ended.is_set()


async def test_what_does_not_end_in_time_is_cancelled_and_counted() -> None:
    owner = Owner()
    task = owner.spawn(asyncio.Event().wait(), "endless")
    assert await owner.drain(0.01, undone_within=5) == 1
    assert task.cancelled()


async def test_what_undoes_for_ever_is_left_in_the_end() -> None:
    owner, go = Owner(), asyncio.Event()

    async def deaf() -> None:
        await uninterrupted(_waited(go))

    task = owner.spawn(deaf(), "deaf")
    assert await owner.drain(0, undone_within=0.01) == 1
    assert not task.done()
    go.set()
    await asyncio.wait([task])


async def _waited(event: asyncio.Event) -> None:
    await event.wait()


async def test_the_result_and_the_error_reach_the_caller() -> None:
    owner = Owner()

    async def gives() -> int:
        return 7

    async def breaks() -> None:
        raise ValueError("no")

    assert await owner.join(gives(), "gives", may_cancel=lambda: False) == 7
    with pytest.raises(ValueError, match="no"):
        await owner.join(breaks(), "breaks", may_cancel=lambda: False)


async def test_uninterrupted_work_ends_before_the_cancel_is_raised() -> None:
    begun, go, story = asyncio.Event(), asyncio.Event(), list[str]()

    async def work() -> None:
        begun.set()
        await go.wait()
        story.append("done")

    waiter = asyncio.create_task(uninterrupted(work()))
    await begun.wait()
    for _ in range(3):
        waiter.cancel()
        await asyncio.sleep(0)
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    assert story == ["done"]


async def test_what_a_thread_raises_is_raised() -> None:
    def breaks() -> None:
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        await in_thread(breaks)


@pytest.mark.parametrize(
    ("error", "level"), [(RuntimeRefused("cannot"), "WARNING"), (KeyError("x"), "ERROR")]
)
async def test_what_nobody_waits_for_is_an_error_only_if_nobody_expected_it(
    error: Exception, level: str
) -> None:
    levels: list[str] = []
    sink = logger.add(lambda message: levels.append(message.record["level"].name))

    async def breaks() -> None:
        raise error

    owner = Owner()
    owner.keep(breaks(), "work")
    await owner.drain(5, undone_within=5)
    logger.remove(sink)
    assert levels == [level]
