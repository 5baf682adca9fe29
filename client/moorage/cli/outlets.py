"""Bytes out to a file descriptor and in from one, without ever blocking the event loop.

A descriptor is asked whether it is ready before it is used, and is left in the mode that it
has: it is shared with whoever else writes to that terminal. Regular files are always ready.
"""

from __future__ import annotations

import asyncio
import os
import select
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

_ONE_WRITE: Final = select.PIPE_BUF
"""What a pipe that says it is writable takes without blocking."""
_ONE_READ: Final = 512 * 1024


class Outlet:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    async def write(self, data: bytes) -> None:
        """Write all of ``data``. Raises BrokenPipeError once nobody reads."""
        rest = memoryview(data)
        while rest:
            await _ready(self._descriptor, select.POLLOUT)
            try:
                rest = rest[os.write(self._descriptor, rest[:_ONE_WRITE]) :]
            except BlockingIOError:
                await asyncio.sleep(0)  # somebody set it so, and was faster


async def inlet(descriptor: int, progress: Callable[[int], None]) -> AsyncIterator[bytes]:
    """Yield what can be read, and tell ``progress`` how much; 0 once there is no more."""
    while True:
        await _ready(descriptor, select.POLLIN)
        try:
            piece = os.read(descriptor, _ONE_READ)
        except BlockingIOError:
            await asyncio.sleep(0)
            continue
        progress(len(piece))
        if not piece:
            return
        yield piece


async def _ready(descriptor: int, event: int) -> None:
    """Wait until ``descriptor`` can be used without blocking."""
    poll = select.poll()
    poll.register(descriptor, event)
    if poll.poll(0):
        return
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    add, remove = (
        (loop.add_writer, loop.remove_writer)
        if event == select.POLLOUT
        else (loop.add_reader, loop.remove_reader)
    )
    add(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        remove(descriptor)
