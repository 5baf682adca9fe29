"""Tasks that the service owns: they end by themselves, and are waited for when it drains.

Law: nothing runs that nobody holds; a failure that nobody waits for is logged.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from loguru import logger

from moored import errors
from moored.uninterrupted import uninterrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")


class Owner:
    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._awaited: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Run ``work`` until it ends; whoever wants its result may await the task."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def keep(self, work: Coroutine[Any, Any, Any], name: str) -> None:
        """Run ``work`` until it ends, for nobody who waits: a failure is logged."""
        self.spawn(work, name)  # type: ignore[unused-awaitable]  # the set of tasks holds it

    async def join(
        self, work: Coroutine[Any, Any, T], name: str, *, may_cancel: Callable[[], bool]
    ) -> T:
        """Wait for owned ``work``. A cancelled waiter cancels it only while ``may_cancel``."""
        return await self.attend(self.spawn(work, name), may_cancel=may_cancel)

    async def attend(self, task: asyncio.Task[T], *, may_cancel: Callable[[], bool]) -> T:
        """Wait for a spawned task, as ``join`` does; several may."""
        self._awaited.add(task)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if may_cancel():
                task.cancel()
                await uninterrupted(_ended(task))
            self._awaited.discard(task)
            raise
        finally:
            if task.done():
                self._awaited.discard(task)

    async def settle(self, within: float) -> None:
        """Wait for what runs to end, but no longer than that."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=within)

    async def drain(self, within: float, *, undone_within: float) -> int:
        """Wait for what runs to end; cancel what has not by then, and return how many that was.

        What is cancelled has ``undone_within`` more: what it has not undone then stays on record.
        """
        await self.settle(within)
        late = set(self._tasks)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=undone_within)
        return len(late)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task in self._awaited:
            self._awaited.discard(task)
        elif not task.cancelled() and (error := task.exception()):
            _log(task.get_name(), error)


def _log(name: str, error: BaseException) -> None:
    """Log a failure that nobody waits for: with where it was raised, if nobody expected it."""
    if isinstance(error, errors.MooredError):
        logger.warning("{} failed: {}", name, error)
    else:
        logger.opt(exception=error).error("{} failed: {}", name, error)


async def _ended(task: asyncio.Task[Any]) -> None:
    await asyncio.wait([task])
