"""Letting go of the oldest output: a hole is punched where it was, in the file that is written.

Laws: a file is never truncated, since what its writer appends meanwhile would be lost; what is
kept begins with a line; offsets stay what they were, so that a reader at the seam goes on where
it stood, or at the floor if that has passed it. The index is let go of with what it is about.
"""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import TYPE_CHECKING, Final

from moored.streams import index
from moored.streams.floor import floor_of, raise_floor
from moored.streams.punching import punch
from moored.streams.recording import Complaint

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from moored.model.output import Retention

    Traced = Callable[[str], AbstractContextManager[object]]

_LONGEST_LINE: Final = 1 << 16
"""Bytes in which the end of a line is looked for: a longer one is cut."""


class Rotator:
    """Rotates files as they grow, one after another, beside the loop."""

    def __init__(self, traced: Traced = nullcontext) -> None:
        """``traced`` has what is done to a file within it."""
        self._floors: dict[str, int] = {}
        self._rotating: dict[str, asyncio.Task[None]] = {}
        self._traced = traced
        self._thread = ThreadPoolExecutor(1, "rotation")
        self._failed = Complaint("cannot let go of old output: {}; it grows on")

    def consider(self, file: str, size: int, retention: Retention) -> None:
        """Rotate ``file``, which has grown to ``size``, if that is more than is kept of it."""
        if (floor := self._floors.get(file)) is None:
            floor = self._floors[file] = floor_of(file)
        if file not in self._rotating and (to := retention.floor(floor, size)) > floor:
            self._rotating[file] = asyncio.create_task(self._rotate(file, to), name="rotate")

    async def let_go(self, file: str, to: int) -> None:
        """Rotate ``file`` to ``to`` now, in turn with all others. OSError: it cannot be."""
        loop = asyncio.get_running_loop()
        with self._traced(file):
            self._floors[file] = await loop.run_in_executor(self._thread, rotate, file, to)

    def forget(self, file: str) -> None:
        self._floors.pop(file, None)

    async def close(self) -> None:
        if self._rotating:
            await asyncio.wait(self._rotating.values())
        self._thread.shutdown(wait=False)

    async def _rotate(self, file: str, to: int) -> None:
        try:
            await self.let_go(file, to)
        except OSError as error:
            self._failed.make(error)
        finally:
            del self._rotating[file]


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
