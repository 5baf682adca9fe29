"""When each byte of a file was written, to about a tenth of a second.

A record (size, time) says: all before ``size`` was written by ``time``. Sizes rise and times
never fall, so that both can be searched. What no record covers was written by the file's own
time of modification, which is why nothing depends on the records: they only make it finer.
"""

from __future__ import annotations

import os
import struct
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Final, NamedTuple

from moored.streams.output import index_path
from moored.streams.punching import punch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_RECORD: Final = struct.Struct("<QQ")
MOST_RECORDS: Final = 1 << 20
_BLOCK: Final = 256
"""Records read at a time."""


class Record(NamedTuple):
    size: int
    time: int
    """Nanoseconds since the epoch."""


class Segment(NamedTuple):
    """A part of a file that was written at about one time."""

    start: int
    end: int
    time: int


def append(file: Path | str, record: Record) -> bool:
    """Add what is new to the index of ``file``. False: it tells nothing new, or there is none.

    Never makes an index: what is being removed must not come back.
    """
    if not record.size:
        return False
    try:
        fd = os.open(index_path(file), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        count = _count(fd)
        size, time = record
        if count:
            last = _records(fd, count - 1, 1)[0]
            if size <= last.size:
                return False
            time = max(time, last.time)
        # At its place rather than at the end: half a record, left by a full disk, is overwritten.
        os.pwrite(fd, _RECORD.pack(size, time), count * _RECORD.size)
        return True
    finally:
        os.close(fd)


def append_all(records: Mapping[str, Record]) -> OSError | None:
    """Append each where it belongs. Return the last of the failures: none stops the others."""
    failure = None
    for file, record in records.items():
        try:
            append(file, record)
        except OSError as error:
            failure = error
    return failure


def let_go(file: Path | str, floor: int, *, most: int = MOST_RECORDS) -> None:
    """Forget what is about bytes before ``floor``, but for the record that leads up to it.

    Of a file that is written without pause, and little at a time, the older half goes once there
    are more than ``most``: a time gets coarser by that, and nothing else. What is gone reads as
    zeros, which sort before every record.
    """
    try:
        fd = os.open(index_path(file), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        count = _count(fd)
        records = range(count)
        first = bisect_right(records, 0, key=lambda n: _records(fd, n, 1)[0].size)
        keep = bisect_right(records, floor, key=lambda n: _records(fd, n, 1)[0].size) - 1
        if count - max(first, keep) > most:
            keep = count - most // 2
        if keep > first:
            punch(fd, keep * _RECORD.size)
    finally:
        os.close(fd)


class Index:
    """The index of one file, open for reading while it grows."""

    def __init__(self, file: Path) -> None:
        try:
            self._fd = os.open(index_path(file), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            self._fd = -1

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def since(self, time: int) -> int:
        """Return the offset before which nothing was written at ``time`` or later."""
        number = bisect_left(range(self._length()), time, key=lambda n: self._at(n).time)
        return self._at(number - 1).size if number else 0

    def after(self, offset: int) -> int:
        """Return the number of the first record that covers more than ``offset`` bytes."""
        return bisect_right(range(self._length()), offset, key=lambda n: self._at(n).size)

    def block(self, number: int, count: int = _BLOCK) -> list[Record]:
        """Return the records from ``number`` on, at most ``count``."""
        count = min(count, self._length() - number)
        return _records(self._fd, number, count) if count > 0 else []

    def backwards(self, end: int, modified: int) -> Iterator[Segment]:
        """Yield the segments before ``end`` from the last to the first.

        ``modified`` is the time of what no record covers.
        """
        number = self._length()
        newer = Record(end, modified)
        while number:
            count = min(number, _BLOCK)
            number -= count
            for record in reversed(_records(self._fd, number, count)):
                if not record.size:  # let go of, as all before it
                    number = 0
                    break
                if record.size < end:
                    yield Segment(record.size, end, max(newer.time, record.time))
                    end = record.size
                newer = record
        if end:
            yield Segment(0, end, newer.time)

    def _length(self) -> int:
        return _count(self._fd) if self._fd >= 0 else 0

    def _at(self, number: int) -> Record:
        return _records(self._fd, number, 1)[0]


class Forward:
    """Walks through an index as it grows, from the record that covers ``offset``."""

    def __init__(self, index: Index, offset: int) -> None:
        self._index = index
        self._number = index.after(offset)
        self._block: list[Record] = []

    def cover(self, offset: int) -> Record | None:
        """Return the first record that covers more than ``offset`` bytes, if there is one yet."""
        while True:
            while self._block:
                if self._block[-1].size > offset:
                    return self._block[-1]
                self._block.pop()
            block = self._index.block(self._number)
            if not block:
                return None
            self._number += len(block)
            self._block = block[::-1]


def _count(fd: int) -> int:
    """Return how many whole records there are, without zeros that a power cut left at the end."""
    count = os.fstat(fd).st_size // _RECORD.size
    while count and not _records(fd, count - 1, 1)[0].size:
        count -= 1
    return count


def _records(fd: int, number: int, count: int) -> list[Record]:
    found = os.pread(fd, count * _RECORD.size, number * _RECORD.size)
    return [Record(*record) for record in _RECORD.iter_unpack(found)]
