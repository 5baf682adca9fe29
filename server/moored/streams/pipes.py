"""The ends of FIFOs that moored holds, without ever waiting in a system call.

Law: what a pipe holds stays in it until somebody asks for it. Nothing is read ahead, so that
whoever writes waits for whoever reads, and for nobody else.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CAPACITY: Final = 1 << 18
"""Bytes that a FIFO is asked to hold: the more, the fewer turns between its two sides."""
LARGEST_PIECE: Final = 1 << 17
"""Bytes that are read at a time."""


class ReadEnd:
    """The reading end of a FIFO. To be opened before anybody may write to it."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with suppress(OSError):  # a user's pipes are limited in sum; it works with less
            fcntl.fcntl(self._fd, fcntl.F_SETPIPE_SZ, CAPACITY)
        self._saved: deque[bytes] = deque()
        self._ended = False
        self._rings: list[Callable[[], None]] = []
        self.held = 0
        """Bytes that were taken out of the FIFO and that nobody asked for yet."""

    @property
    def over(self) -> bool:
        """Whether there is nothing more, and never will be."""
        return self._ended and not self._saved

    def take(self) -> bytes:
        """Return what comes next. Empty: nothing is there now, or ever if it is ``over``."""
        if self._saved:
            piece = self._saved.popleft()
            self.held -= len(piece)
            return piece
        return self._read()

    def save(self, most: int) -> bool:
        """Take out of the FIFO what it holds, as long as ``most`` bytes are not held.

        Return whether anything was.
        """
        before = self.held
        while self.held < most and (piece := self._read()):
            self._saved.append(piece)
            self.held += len(piece)
        return self.held > before

    def listen(self, ring: Callable[[], None]) -> None:
        """Call ``ring`` once, as soon as there is something to read or the end."""
        if self._fd < 0 or self._ended:
            return
        if not self._rings:
            asyncio.get_running_loop().add_reader(self._fd, self._rung)
        if ring not in self._rings:
            self._rings.append(ring)

    def close(self) -> None:
        """Let go of the FIFO. What was saved can still be taken."""
        self._deafen()
        self._ended = True
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _read(self) -> bytes:
        if self._ended:
            return b""
        try:
            piece = os.read(self._fd, LARGEST_PIECE)
        except BlockingIOError:
            return b""
        self._ended = not piece
        return piece

    def _rung(self) -> None:
        rings = tuple(self._rings)
        self._deafen()
        for ring in rings:
            ring()

    def _deafen(self) -> None:
        if self._rings:
            self._rings.clear()
            asyncio.get_running_loop().remove_reader(self._fd)


class WriteEnd:
    """The writing end of a FIFO that somebody reads. One writer at a time."""

    def __init__(self, path: Path) -> None:
        """Raises BrokenPipeError if nobody reads."""
        self._turn = asyncio.Lock()
        self._wake = asyncio.Event()
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno in (errno.ENXIO, errno.ENOENT):
                raise BrokenPipeError(errno.EPIPE, "nobody reads") from error
            raise

    async def write(self, data: bytes) -> None:
        """Write all of ``data``, however long its reader takes.

        Raises BrokenPipeError once nobody reads any more, and after ``close``.
        """
        async with self._turn:
            rest = memoryview(data)
            while rest:
                try:
                    rest = rest[self._write(rest) :]
                except BlockingIOError:
                    await self._writable()

    def close(self) -> None:
        """Let go of the FIFO. What was written stays in it."""
        if self._fd >= 0:
            with suppress(RuntimeError):  # the loop may be closed
                asyncio.get_running_loop().remove_writer(self._fd)
            os.close(self._fd)
            self._fd = -1
            self._wake.set()

    def _write(self, rest: memoryview) -> int:
        if self._fd < 0:
            raise BrokenPipeError(errno.EPIPE, "closed")
        return os.write(self._fd, rest)

    async def _writable(self) -> None:
        loop = asyncio.get_running_loop()
        fd = self._fd
        self._wake.clear()
        loop.add_writer(fd, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            if self._fd == fd:
                loop.remove_writer(fd)
