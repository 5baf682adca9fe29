"""Work that ends by itself, whoever stops waiting for it."""

from __future__ import annotations

import asyncio
from threading import Event, Thread
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")


async def uninterrupted(work: Coroutine[object, object, T]) -> T:
    """Wait for ``work`` to end, however often the waiter is cancelled, and then be cancelled."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as cancel:
            cancelled = cancel
        except BaseException:  # noqa: BLE001  # it is the task's, and is raised below
            break
    if cancelled is not None:
        if not task.cancelled():
            task.exception()  # seen: the cancel goes first
        raise cancelled
    return task.result()


async def in_thread(deed: Callable[[], T]) -> T:
    """Run ``deed`` in a thread. A thread cannot be cancelled: it has ended when this has."""
    return await uninterrupted(asyncio.to_thread(deed))


class ToldToStop(Exception):
    """Raised in a thread whose waiter was cancelled."""


async def in_own_thread(deed: Callable[[Callable[[], None]], T]) -> T:
    """Run ``deed`` in a thread that ends with it, and that it may do to what it likes.

    ``deed`` is given what it has to call now and then: that raises once the waiter is cancelled.
    It has ended when this has.
    """
    stop = Event()

    def go_on() -> None:
        if stop.is_set():
            raise ToldToStop

    task = asyncio.ensure_future(_threaded(lambda: deed(go_on)))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        stop.set()
        await uninterrupted(_ended(task))
        raise


async def abandonable(
    deed: Callable[[], T], *, within: float, drop: Callable[[T], None] = lambda _: None
) -> T:
    """Run ``deed`` in a thread of its own, and wait for it only so long.

    For what asks the host's file systems, which may never answer. What comes too late is given to
    ``drop``. Raises TimeoutError.
    """
    task = asyncio.ensure_future(_threaded(deed))
    try:
        async with asyncio.timeout(within):
            return await asyncio.shield(task)
    except (TimeoutError, asyncio.CancelledError):
        task.add_done_callback(lambda late: _dropped(late, drop))
        raise


def _dropped(late: asyncio.Task[T], drop: Callable[[T], None]) -> None:
    if not late.cancelled() and late.exception() is None:
        drop(late.result())


async def _threaded(deed: Callable[[], T]) -> T:
    """Run ``deed`` in a new thread. One that never ends holds up nobody else, nor our own end."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def tell(set_outcome: Callable[[], None]) -> None:
        if not done.done():
            set_outcome()

    def run() -> None:
        try:
            result = deed()
        except BaseException as error:  # noqa: BLE001  # it is the waiter's
            failure = error
            told = lambda: done.set_exception(failure)  # noqa: E731
        else:
            told = lambda: done.set_result(result)  # noqa: E731
        if not loop.is_closed():
            loop.call_soon_threadsafe(tell, told)

    Thread(target=run, daemon=True).start()
    return await done


async def _ended(task: asyncio.Task[T]) -> None:
    await asyncio.wait([task])
