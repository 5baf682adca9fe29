"""Where the last lines of a run begin, counted over its streams in the order of time.

Reads backwards from the end, block by block, and no further than it must: large files cost no
more than small ones, and a file without a newline costs time but no memory.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Final

from moored.uninterrupted import in_thread

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from moored.streams.index import Segment

BLOCK: Final = 1 << 18
BLOCKS_AT_ONCE: Final = 64
"""Blocks read in one go: whoever was cancelled waits no longer than that."""


@dataclass
class Strand:
    """One stream, from ``floor`` to ``end``, cut into ``segments`` from the last to the first.

    ``start`` is where what is asked of it begins, once that was found.
    """

    fd: int
    floor: int
    end: int
    segments: Iterator[Segment]
    rank: int
    """Orders what was written at the same time."""
    block: int = BLOCK
    """Bytes read at a time."""
    start: int = field(init=False)
    segment: Segment | None = field(init=False)

    def __post_init__(self) -> None:
        self.start = self.end
        self.segment = next(self.segments, None)

    def next_segment(self) -> None:
        """Go on to what was written before, unless it is not asked for."""
        self.segment = next(self.segments, None)
        if self.segment is not None and self.segment.end <= self.floor:
            self.segment = None


class TailSearch:
    """Sets the ``start`` of each strand to where its part of the last ``lines`` begins."""

    def __init__(self, strands: Sequence[Strand], lines: int) -> None:
        self.strands: Final = strands
        self._search = _search(strands, lines)

    async def go_on(self) -> bool:
        """Search a while. True: found."""
        return await in_thread(self._read_some)

    def _read_some(self) -> bool:
        return sum(1 for _ in islice(self._search, BLOCKS_AT_ONCE)) < BLOCKS_AT_ONCE


def _search(strands: Sequence[Strand], lines: int) -> Generator[None, None, None]:
    """Take segment by segment, from the latest on, until ``lines`` have ended in them."""
    while lines:
        left = [strand for strand in strands if strand.segment is not None]
        if not left:
            break
        latest = max(left, key=_age)
        lines = yield from _take_segment(latest, lines)
        latest.next_segment()
    for strand in strands:
        if strand.start < strand.end:
            yield from _to_line_start(strand)


def _age(strand: Strand) -> tuple[int, int]:
    assert strand.segment is not None
    return strand.segment.time, strand.rank


def _take_segment(strand: Strand, lines: int) -> Generator[None, None, int]:
    """Move ``start`` back by a segment or by ``lines`` ends of lines; return how many are left."""
    assert strand.segment is not None
    floor = max(strand.segment.start, strand.floor)
    while strand.start > floor:
        at, block = _block_before(strand, floor)
        ends = block.count(b"\n") + _unterminated(strand, block)
        if ends >= lines:
            strand.start = at + _nth_end(block, lines, unterminated=_unterminated(strand, block))
            return 0
        lines -= ends
        strand.start = at
        yield
    return lines


def _to_line_start(strand: Strand) -> Generator[None, None, None]:
    """Move ``start``, which is somewhere in a line, back to where that line begins."""
    while strand.start > strand.floor:
        at, block = _block_before(strand, strand.floor)
        newline = block.rfind(b"\n")
        if newline >= 0:
            strand.start = at + newline + 1
            return
        strand.start = at
        yield


def _block_before(strand: Strand, floor: int) -> tuple[int, bytes]:
    at = max(floor, strand.start - strand.block)
    return at, os.pread(strand.fd, strand.start - at, at)


def _unterminated(strand: Strand, block: bytes) -> bool:
    """Whether ``block`` ends with the last line of all, and that has no newline."""
    return strand.start == strand.end and not block.endswith(b"\n")


def _nth_end(block: bytes, number: int, *, unterminated: bool) -> int:
    """Return where the last byte of a line is: of the ``number``-th line from the end."""
    at = len(block)
    if unterminated:
        number -= 1
        at -= 1
    for _ in range(number):
        at = block.rfind(b"\n", 0, at)
    return at
