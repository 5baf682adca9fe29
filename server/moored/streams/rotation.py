"""Letting go of the oldest output: a hole is punched where it was, in the file that is written.

Laws: a file is never truncated, since what its writer appends meanwhile would be lost; what is
kept begins with a line; offsets stay what they were, so that a reader at the seam goes on where
it stood, or at the floor if that has passed it. The index is let go of with what it is about.
"""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from moored.streams import index
from moored.streams.floor import floor_of, raise_floor
from moored.streams.punching import punch
from moored.streams.recording import Complaint

if TYPE_CHECKING:
    from moored.model.output import Retention

_LONGEST_LINE: Final = 1 << 16
"""Bytes in which the end of a line is looked for: a longer one is cut."""


class Rotator:
    """Rotates files as they grow, one after another, beside the loop."""

    def __init__(self) -> None:
        self._floors: dict[str, int] = {}
        self._rotating: set[asyncio.Future[int]] = set()
        self._busy: set[str] = set()
        self._thread = ThreadPoolExecutor(1, "rotation")
        self._failed = Complaint("cannot let go of old output: {}; it grows on")

    def consider(self, file: str, size: int, retention: Retention) -> None:
        """Rotate ``file``, which has grown to ``size``, if that is more than is kept of it."""
        if (floor := self._floors.get(file)) is None:
            floor = self._floors[file] = floor_of(file)
        if file not in self._busy and (to := retention.floor(floor, size)) > floor:
            self._begin(file, to)

    async def let_go(self, file: str, to: int) -> None:
        """Rotate ``file`` to ``to`` now, in turn with all others. OSError: it cannot be."""
        loop = asyncio.get_running_loop()
        self._floors[file] = await loop.run_in_executor(self._thread, rotate, file, to)

    def forget(self, file: str) -> None:
        self._floors.pop(file, None)

    async def close(self) -> None:
        if self._rotating:
            await asyncio.wait(self._rotating)
        self._thread.shutdown(wait=False)

    def _begin(self, file: str, to: int) -> None:
        self._busy.add(file)
        loop = asyncio.get_running_loop()
        rotating = loop.run_in_executor(self._thread, rotate, file, to)
        self._rotating.add(rotating)
        rotating.add_done_callback(lambda done: self._done(file, done))

    def _done(self, file: str, done: asyncio.Future[int]) -> None:
        self._rotating.discard(done)
        self._busy.discard(file)
        if done.cancelled():
            return
        error = done.exception()
        if error is None:
            self._floors[file] = done.result()
        elif isinstance(error, OSError):
            self._failed.make(error)
        else:
            raise error


def rotate(file: str, to: int) -> int:
    """Let go of what ``file`` has before the first line that begins at ``to`` or later.

    Return where it begins from now on. A second time changes nothing.
    """
    try:
        fd = os.open(file, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return to
    try:
        before = floor_of(file)
        floor = _line_at(fd, to) if to > before else before
        if raise_floor(file, floor):
            punch(fd, floor)
            index.let_go(file, floor)
        return floor
    finally:
        os.close(fd)


def _line_at(fd: int, at: int) -> int:
    """Return where the first line begins that begins at ``at`` or a little later."""
    seen = os.pread(fd, _LONGEST_LINE, max(0, at - 1))
    newline = seen.find(b"\n")
    return at if newline < 0 or not at else at + newline
