"""One exec under way: what is known of it, and the streams that moored holds of it.

Decides nothing: ``exec_life`` has how it begins, goes on and ends.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from moored import errors
from moored.streams.output import Stream
from moored.streams.pipes import ReadEnd, WriteEnd

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moored.model.execs import EndReason, Exec, WindowSize
    from moored.model.exits import Exit
    from moored.storage.channels import ExecPlace

MOST_SAVED: Final = 4 << 20
"""Bytes of one stream that are kept in memory for a slow reader, once the process has ended."""


@dataclass(frozen=True)
class Piece:
    """Some output of an exec."""

    stream: Stream
    data: bytes


class Silence:
    """Nothing came for a while."""


SILENCE: Final = Silence()


@dataclass(frozen=True)
class Wiring:
    """Which streams an exec has, and how large its window is to begin with."""

    beside: int = 0
    """The pid of the container's first process."""
    stdin: bool = False
    output: bool = False
    window: WindowSize | None = None


class Session:
    """``started`` is done when its process runs, or raises why it does not."""

    def __init__(self, exec_: Exec, place: ExecPlace, wiring: Wiring) -> None:
        self.exec = exec_
        self.place: Final = place
        self.wiring: Final = wiring
        self.started: Final[asyncio.Future[None]] = asyncio.get_running_loop().create_future()
        self.reason: EndReason | None = None
        """Why it was told to end. None: nobody did."""
        self.task: asyncio.Task[None] | None = None
        self.ender: asyncio.Task[None] | None = None
        self._exited = asyncio.Event()
        self._bell = asyncio.Event()
        self._reads: Mapping[Stream, ReadEnd] = {}
        self._write: WriteEnd | None = None
        self._stdin_over = not wiring.stdin
        # Whoever waits for it hears of it; where nobody does, there is nothing to say.
        self.started.add_done_callback(lambda done: done.cancelled() or done.exception())

    # The process

    def begun(self, pid: int) -> None:
        self.exec = self.exec.started(pid)
        if not self.started.done():
            self.started.set_result(None)

    def failed(self, error: BaseException) -> None:
        if not self.started.done():
            self.started.set_exception(error)

    def exited(self, exit: Exit, reason: EndReason) -> None:
        """Note how its process ended. A second time changes nothing."""
        if not self._exited.is_set():
            self.exec = self.exec.ended(exit, reason)
            self._exited.set()
            self.ring()

    async def until_exited(self) -> None:
        await self._exited.wait()

    @property
    def ended(self) -> bool:
        return self._exited.is_set()

    # Its streams

    def open_output(self) -> None:
        """Take the reading ends: before anybody writes."""
        streams = [Stream.STDOUT] if self.exec.spec.tty else list(Stream)
        paths = {Stream.STDOUT: self.place.stdout, Stream.STDERR: self.place.stderr}
        self._reads = {stream: ReadEnd(paths[stream]) for stream in streams}

    def open_input(self) -> None:
        """Take the writing end: once somebody reads. Nobody: it has ended already."""
        with suppress(BrokenPipeError):
            self._write = WriteEnd(self.place.stdin)

    async def read(self, within: float | None = None) -> Piece | Silence | None:
        """Return what it wrote next. None: it has ended and all was read. SILENCE: not yet."""
        loop = asyncio.get_running_loop()
        limit = None if within is None else loop.time() + within
        while True:
            self._bell.clear()
            if piece := self._take():
                return piece
            if self._over:
                return None
            for end in self._reads.values():
                end.listen(self.ring)
            try:
                async with asyncio.timeout_at(limit):
                    await self._bell.wait()
            except TimeoutError:
                return SILENCE

    def ring(self) -> None:
        """Have whoever reads look again."""
        self._bell.set()

    async def write(self, data: bytes) -> None:
        """Write to its stdin. What nobody will read is dropped, as by a pipe whose reader ended."""
        if not self.wiring.stdin or self._stdin_over:
            raise errors.StdinNotOpen(
                f"cannot write to exec {self.exec.id!r}: its stdin is not open", exec=self.exec.id
            )
        if self._write is not None:
            with suppress(BrokenPipeError):
                await self._write.write(data)

    def end_input(self) -> bool:
        """Let go of its stdin, and return whether it was open."""
        was_open = not self._stdin_over
        self._stdin_over = True
        if self._write is not None:
            self._write.close()
        return was_open

    async def save_rest(self) -> None:
        """Keep what comes out of its streams for whoever reads slowly, until they end."""
        full = asyncio.Event()
        while any(not end.over for end in self._reads.values()):
            full.clear()
            for end in self._reads.values():
                end.save(MOST_SAVED)
            self.ring()
            waiting = [e for e in self._reads.values() if not e.over and e.held < MOST_SAVED]
            if not waiting:
                return
            for end in waiting:
                end.listen(full.set)
            await full.wait()

    def close(self) -> None:
        """Let go of every stream. What came out by now can still be read."""
        for end in self._reads.values():
            end.save(MOST_SAVED)
            end.close()
        self.end_input()
        self.ring()

    @property
    def _over(self) -> bool:
        return self.ended and all(end.over for end in self._reads.values())

    def _take(self) -> Piece | None:
        for stream, end in self._reads.items():
            if data := end.take():
                return Piece(stream, data)
        return None
