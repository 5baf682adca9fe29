"""Work that ends by itself, whoever stops waiting for it."""

from __future__ import annotations

import asyncio
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
