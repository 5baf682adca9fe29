"""Output on a disk that gets full: old output goes early, and no container waits for ever.

Laws: below the reserve, what is kept of the largest streams is let go of until there is room
again. A shim's copier that could not write is dead for good: its pipe fills, and its container
would block. That is noticed, put on record with the time from when on output is missing, and the
pipe is emptied here for as long as the run lasts.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from loguru import logger

from moored import errors
from moored.model.events import OutputLost
from moored.model.state import Frozen, Running, Stopping
from moored.oci import pipes
from moored.streams.drain import Drain
from moored.streams.floor import floor_of
from moored.streams.output import Stream
from moored.uninterrupted import in_thread

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from moored.model.state import Snapshot
    from moored.oci.pipes import Pipe
    from moored.registry import Registry
    from moored.streams.output import Output
    from moored.streams.rotation import Rotator

_PACE: Final = 1.0
"""Seconds between two looks at the room on the disk."""
_LOOKS: Final = 5
"""Looks in a row at which a pipe holds as much and its file is as long: then its copier is dead."""
_KEPT_AT_LEAST: Final = 1 << 20
"""Bytes of a stream that are left to it, however little room there is."""
_STREAMS: Final = {1: Stream.STDOUT, 2: Stream.STDERR}


@dataclass
class _Suspect:
    """A pipe that holds something, and how often it was seen like that."""

    pending: int
    size: int
    looks: int = 1


@dataclass(kw_only=True)
class OutputKeeper:
    registry: Registry
    output: Output
    rotator: Rotator
    reserve: int
    """Bytes that shall be free where output is kept."""
    _suspects: dict[str, _Suspect] = field(default_factory=dict)
    _drains: dict[str, tuple[Snapshot, Drain]] = field(default_factory=dict)

    async def run(self) -> None:
        """Look until cancelled."""
        try:
            while True:
                await asyncio.sleep(_PACE)
                await self.look()
        finally:
            for _, drain in self._drains.values():
                drain.close()

    async def look(self) -> None:
        """Make room where there is too little, and find copiers that have died."""
        living = [s for s in self.registry.all() if isinstance(s.state, Running | Stopping)]
        self._leave_ended()
        if await self._make_room(living):
            logger.warning("let go of output early: less than {} bytes are free", self.reserve)
        for snapshot, pipe, since in await in_thread(partial(self._find_dead, living)):
            self._drain(snapshot, pipe)
            await self._record(snapshot, since)

    async def _make_room(self, living: Sequence[Snapshot]) -> bool:
        """Let go of output of those that keep most of it, until there is room."""
        if not await in_thread(self._is_short):
            return False
        some = False
        for file, to in await in_thread(partial(self._largest, living)):
            try:
                await self.rotator.let_go(file, to)
            except OSError as error:
                logger.warning("cannot let go of output early: {}", error)
                return some
            some = True
            if not await in_thread(self._is_short):
                break
        return some

    def _largest(self, living: Sequence[Snapshot]) -> list[tuple[str, int]]:
        """Return what can be let go of, most first: of which file, and up to where."""
        found: list[tuple[int, str, int]] = []
        for file in self._files(living):
            size = file.stat().st_size
            spare = size - floor_of(file) - _KEPT_AT_LEAST
            if spare > 0:
                found.append((spare, os.fspath(file), size - _KEPT_AT_LEAST))
        return [(file, to) for _, file, to in sorted(found, reverse=True)]

    def _is_short(self) -> bool:
        return self.output.directory.exists() and self._free() < self.reserve

    def _free(self) -> int:
        found = os.statvfs(self.output.directory)
        return found.f_bavail * found.f_frsize

    def _files(self, living: Sequence[Snapshot]) -> Iterator[Path]:
        for snapshot in living:
            if found := self.output.find(snapshot.id, snapshot.run):
                yield from (found.path(stream) for stream in Stream)

    def _find_dead(self, living: Sequence[Snapshot]) -> list[tuple[Snapshot, Pipe, datetime]]:
        """Return the pipes that nobody empties, and when something was last written from them."""
        suspects: dict[str, _Suspect] = {}
        dead: list[tuple[Snapshot, Pipe, datetime]] = []
        for snapshot, pipe, file in self._pipes(living):
            try:
                pending, found = pipe.pending(), file.stat()
            except OSError:  # it has just ended
                continue
            before = self._suspects.get(pipe.name)
            same = before and (before.pending, before.size) == (pending, found.st_size)
            if pending and pipe.name not in self._drains:
                looks = before.looks + 1 if before and same else 1
                suspects[pipe.name] = _Suspect(pending, found.st_size, looks)
                if looks >= _LOOKS:
                    dead.append((snapshot, pipe, datetime.fromtimestamp(found.st_mtime, UTC)))
        self._suspects = suspects
        return dead

    def _pipes(self, living: Sequence[Snapshot]) -> Iterator[tuple[Snapshot, Pipe, Path]]:
        for snapshot in living:
            found = self.output.find(snapshot.id, snapshot.run)
            if found and isinstance(snapshot.state, Running | Stopping):
                for pipe in pipes.of_process(snapshot.state.pid):
                    yield snapshot, pipe, found.path(_STREAMS[pipe.number])

    def _drain(self, snapshot: Snapshot, pipe: Pipe) -> None:
        file = self.output.paths(snapshot.id, snapshot.run).path(_STREAMS[pipe.number])
        try:
            end = pipe.open()
        except OSError:  # it has just ended
            return
        try:
            self._drains[pipe.name] = snapshot, Drain(end, file)
        except OSError:
            os.close(end)

    def _leave_ended(self) -> None:
        for name, (snapshot, drain) in list(self._drains.items()):
            if not self._lives(snapshot):
                drain.close()
                del self._drains[name]

    def _lives(self, before: Snapshot) -> bool:
        if not self.registry.knows(before.id):
            return False
        now = self.registry.peek(before.id).snapshot
        return now.run == before.run and isinstance(now.state, Running | Frozen | Stopping)

    async def _record(self, snapshot: Snapshot, since: datetime) -> None:
        """Put on record from when on output is missing, once a run."""
        if snapshot.output_lost is not None:
            return
        try:
            async with self.registry.claim(snapshot.id) as claim:
                now = claim.snapshot
                if self._lives(snapshot) and now.output_lost is None:
                    logger.bind(container=snapshot.id).warning("output is lost since {}", since)
                    await claim.apply(OutputLost(snapshot.run, since))
        except errors.MooredError as error:
            logger.warning("cannot record that output of {} is lost: {}", snapshot.id, error)
