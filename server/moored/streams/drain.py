"""A pipe whose copier has died, emptied in its place: so that its container does not block.

What comes out goes where the copier put it. What finds no room there is lost, which is better
than a container that waits for ever.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_AT_ONCE: Final = 1 << 16
_ROUNDS: Final = 16
"""Reads in one go: after these, others have their turn on the loop."""


class Drain:
    def __init__(self, pipe: int, file: Path) -> None:
        """Take over ``pipe``, a reading end that does not block."""
        self.lost = 0
        """Bytes that found no room."""
        self._pipe = pipe
        self._file = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._pipe, self._empty)

    def close(self) -> None:
        """Take what is still in it, and let go of it. A second time changes nothing."""
        if self._pipe < 0:
            return
        self._empty()
        self._end()

    def _empty(self) -> None:
        for _ in range(_ROUNDS):
            if self._pipe < 0 or not self._move():
                return

    def _move(self) -> bool:
        """Move some of what is in the pipe, and return whether there may be more."""
        try:
            data = os.read(self._pipe, _AT_ONCE)
        except BlockingIOError:
            return False
        if not data:
            self._end()
            return False
        self._write(data)
        return True

    def _write(self, data: bytes) -> None:
        written = 0
        try:
            written = os.write(self._file, data)
        except OSError:
            written = 0
        self.lost += len(data) - written

    def _end(self) -> None:
        if self._pipe >= 0:
            self._loop.remove_reader(self._pipe)
            os.close(self._pipe)
            os.close(self._file)
            self._pipe = self._file = -1
