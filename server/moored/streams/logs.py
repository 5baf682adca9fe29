"""The output of a run as one reader gets it: both streams in the order of time, chunk by chunk.

Reads only when asked, whole or not at all: a read that is cut short loses nothing. A follower
ends when the run has ended and everything was delivered, or when the files are gone.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, Self

from moored import errors
from moored.streams.output import BOTH, RunOutput, Stream
from moored.streams.source import Chunk, Source, nanoseconds
from moored.streams.tail import TailSearch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from datetime import datetime

    from moored.streams.follow import Follow, Hub

GATHERING: Final = 0.01
"""Seconds in which what a busy run writes is gathered for a follower who has it all."""


class Run(Protocol):
    """What a follower must know of the run it follows."""

    def ended(self) -> bool:
        """Whether nothing more will be written: its task is deleted, not only its process gone."""
        ...

    async def wait_ended(self) -> None: ...


class Quiet:
    """Nothing came for a while."""


QUIET: Final = Quiet()


@dataclass(frozen=True)
class Selection:
    """Which part of the output is asked for."""

    streams: frozenset[Stream] = BOTH
    since: datetime | None = None
    """Nothing that was written before."""
    tail: int | None = None
    """Of what is there, the last lines only. 0: none of it."""
    offsets: Mapping[Stream, int] = field(default_factory=dict)
    """Where to begin in a stream, instead. Nothing beyond what is there."""


EVERYTHING: Final = Selection()


class LogReader:
    """Reads what ``selection`` asks for; given a ``run``, also what that writes until it ends."""

    def __init__(
        self,
        output: RunOutput,
        hub: Hub,
        selection: Selection = EVERYTHING,
        *,
        run: Run | None = None,
    ) -> None:
        self._output = output
        self._hub = hub
        self._selection = selection
        self._run = run
        self._sources: list[Source] = []
        self._search: TailSearch | None = None
        self._bell = asyncio.Event()
        self._follow: Follow | None = None
        self._ending: asyncio.Task[None] | None = None
        self._looked = 0.0

    async def __aenter__(self) -> Self:
        try:
            self._open()
        except FileNotFoundError as error:
            self._close()
            raise errors.RunNotFound(
                f"cannot read output of run {self._output.run} of container"
                f" {self._output.container!r}: it is gone",
                container=self._output.container,
                run=str(self._output.run),
            ) from error
        except BaseException:
            self._close()
            raise
        if self._run is not None:
            self._follow = self._hub.follow(self._output, self._streams(), self._bell.set)
            self._ending = asyncio.create_task(self._run.wait_ended())
            self._ending.add_done_callback(lambda _: self._bell.set())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._close()
        if self._ending is not None:
            self._ending.cancel()
            await asyncio.gather(self._ending, return_exceptions=True)

    async def pieces(self, quiet_after: float | None = None) -> AsyncIterator[Chunk | Quiet]:
        """Yield all there is to read, and QUIET whenever nothing came for so many seconds."""
        while (piece := await self.read(quiet_after)) is not None:
            yield piece

    async def read(self, within: float | None = None) -> Chunk | Quiet | None:
        """Return the next chunk. None: that was all. QUIET: nothing came within the time."""
        loop = asyncio.get_running_loop()
        limit = None if within is None else loop.time() + within
        await asyncio.sleep(0)  # there may be gigabytes to read: others have their turn
        if not await self._find_start(limit):
            return QUIET
        while (chunk := await self._take()) is None:
            await asyncio.sleep(self._looked + GATHERING - loop.time())
            self._listen()
            ended = self._ended()  # before the look: all that was written is seen then
            if self._look():
                continue
            if ended or all(source.over for source in self._sources):
                return None
            if not await self._rung(limit):
                return QUIET
        return chunk

    def _open(self) -> None:
        since, tail = self._selection.since, self._selection.tail
        for stream in self._streams():
            self._sources.append(
                Source(
                    self._output,
                    stream,
                    since=nanoseconds(since) if since else 0,
                )
            )
        for source in self._sources:
            if offset := self._selection.offsets.get(source.stream):
                source.seek(offset)
        if tail == 0:
            for source in self._sources:
                source.skip()
        elif tail is not None:
            strands = [source.strand(rank) for rank, source in enumerate(self._sources)]
            self._search = TailSearch(strands, tail)

    def _streams(self) -> list[Stream]:
        return [stream for stream in Stream if stream in self._selection.streams]

    def _close(self) -> None:
        for source in self._sources:
            source.close()
        if self._follow is not None:
            self._follow.close()

    async def _find_start(self, limit: float | None) -> bool:
        """Find where the tail begins. False: not within the limit; ask again to go on."""
        while (search := self._search) is not None:
            if await search.go_on():
                for source, strand in zip(self._sources, search.strands, strict=True):
                    source.seek(strand.start)
                self._search = None
            elif limit is not None and asyncio.get_running_loop().time() >= limit:
                return False
        return True

    async def _take(self) -> Chunk | None:
        """Take from the source whose next chunk was written first. None: all seen is read."""
        while (first := self._earliest()) is not None:
            if chunk := await first.take():
                return chunk
        return None

    def _earliest(self) -> Source | None:
        first: Source | None = None
        earliest = 0
        for source in self._sources:
            segment = source.ahead()
            if segment is not None and (first is None or segment.time < earliest):
                first, earliest = source, segment.time
        return first

    def _ended(self) -> bool:
        """Whether nothing will come that is not there already."""
        if self._run is None or self._hub.closed:
            return True
        if self._ending is not None and self._ending.done():
            self._ending.result()
            return True
        return self._run.ended()

    def _listen(self) -> None:
        """Have the bell rung for whatever happens from now on."""
        self._bell.clear()
        if self._follow is not None:
            self._follow.listen()

    def _look(self) -> bool:
        """See whether there is more."""
        self._looked = asyncio.get_running_loop().time()
        if self._run is None:
            return False
        grown = [source.look() for source in self._sources]
        return any(grown)

    async def _rung(self, limit: float | None) -> bool:
        """Wait for the bell. False: it did not ring within the limit."""
        try:
            async with asyncio.timeout_at(limit):
                await self._bell.wait()
        except TimeoutError:
            return False
        return True
