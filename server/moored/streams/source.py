"""One stream of a run, read from front to back, in chunks that were each written at one time."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from moored.streams.floor import Floor
from moored.streams.index import Forward, Index, Segment
from moored.streams.tail import Strand
from moored.uninterrupted import in_thread

if TYPE_CHECKING:
    from moored.streams.output import RunOutput, Stream

LARGEST_CHUNK: Final = 1 << 16

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes that a stream got at about one time; ``offset`` is where the first of them is."""

    stream: Stream
    offset: int
    time: datetime
    data: bytes


class Source:
    """The open file of one stream. Once it is removed, what is open is read to its end.

    What is let go of before it was read is passed over: the next chunk begins further on.
    """

    def __init__(self, output: RunOutput, stream: Stream, *, since: int) -> None:
        self.stream: Final = stream
        self.offset = 0
        self.over = False
        """Whether there will never be more, of a file that is removed or was cut short."""
        self._since = since
        self._next: Segment | None = None
        self._latest = 0
        self._ahead, self._ahead_at = b"", 0
        file = output.path(stream)
        self._index = Index(file)
        self._floor = Floor(file)
        try:
            self._fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._index.close()
            self._floor.close()
            raise
        self._size, self._modified = self._measure()
        self.seek(max(self._index.since(since) if since else 0, self._floor.read()))

    def close(self) -> None:
        self._index.close()
        self._floor.close()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def seek(self, offset: int) -> None:
        self.offset = offset
        self._next = None
        self._records = Forward(self._index, offset)

    def skip(self) -> None:
        """Pass over all that is there."""
        self.seek(max(self.offset, self._size))

    def strand(self, rank: int) -> Strand:
        """Return what is there, for a search that begins at its end."""
        self.ahead()  # passes over what is too old
        segments = self._index.backwards(self._size, self._modified)
        return Strand(self._fd, self.offset, self._size, segments, rank)

    def ahead(self) -> Segment | None:
        """Return what comes next and was written at one time. None: all that was seen is read."""
        if self._next is None or self._next.end <= self.offset:
            self._next = self._find_next()
        return self._next

    async def take(self) -> Chunk | None:
        """Return the next of what was seen. Being cut short takes nothing."""
        segment = self.ahead()
        if segment is None:
            return None
        at = self.offset - self._ahead_at
        if not 0 <= at < len(self._ahead):
            self._ahead = await self._read()
            self._ahead_at, at = self.offset, 0
            if (floor := self._floor.read()) > self.offset:  # let go of before it was read
                self._ahead = b""
                self.seek(floor)
                return None
        if not self._ahead:  # it was longer before
            self.over, self._next = True, None
            return None
        data = self._ahead[at : at + segment.end - self.offset]
        if at + len(data) == len(self._ahead):
            self._ahead = b""
        chunk = Chunk(self.stream, self.offset, _datetime(segment.time), data)
        self.offset += len(data)
        return chunk

    def look(self) -> bool:
        """See how far the file goes now. True: further than it was read."""
        self._size, self._modified = self._measure()
        return self._size > self.offset

    def _find_next(self) -> Segment | None:
        while not self.over and self._size > self.offset:
            record = self._records.cover(self.offset)
            end = min(record.size, self._size) if record else self._size
            self._latest = max(self._latest, record.time if record else self._modified)
            if self._latest >= self._since:
                return Segment(self.offset, end, self._latest)
            self.offset = end
        return None

    def _measure(self) -> tuple[int, int]:
        found = os.fstat(self._fd)
        removed = found.st_nlink == 0
        self.over = found.st_size < self.offset or (removed and found.st_size == self.offset)
        return found.st_size, found.st_mtime_ns

    async def _read(self) -> bytes:
        """Read from the page cache, or in a thread from the disk."""
        there = bytearray(LARGEST_CHUNK)
        try:
            length = os.preadv(self._fd, [there], self.offset, os.RWF_NOWAIT)
        except OSError:  # not in the cache, or a filesystem that cannot tell
            return await in_thread(partial(os.pread, self._fd, LARGEST_CHUNK, self.offset))
        return bytes(memoryview(there)[:length])


def nanoseconds(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(microseconds=1) * 1000


def _datetime(time: int) -> datetime:
    return _EPOCH + timedelta(microseconds=time // 1000)
