"""Text lines from chunks of bytes, for those who would rather not cut and decode themselves.

What is not UTF-8 becomes U+FFFD. A line is delivered when it is complete: when its newline has
come, or when the stream has ended. One that is longer than ``LONGEST_PART`` comes in parts,
each as soon as it is full; the offset of a part is where the one before it ended.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from moored.streams.logs import Quiet
from moored.streams.output import Stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from datetime import datetime

    from moored.streams.source import Chunk

LONGEST_PART: Final = 1 << 16
"""In bytes, as they were written."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a stream, or a part of one, without its newline.

    ``offset`` and ``time`` are those of its first byte.
    """

    stream: Stream
    offset: int
    time: datetime
    text: str


async def lines(pieces: AsyncIterator[Chunk | Quiet]) -> AsyncIterator[Line | Quiet]:
    """Yield the lines of each stream as they become complete; pass quiet on as it is."""
    open_lines = {stream: OpenLine(stream) for stream in Stream}
    async for piece in pieces:
        if isinstance(piece, Quiet):
            yield piece
            continue
        for line in open_lines[piece.stream].cut(piece):
            yield line
    for open_line in open_lines.values():
        for line in open_line.end():
            yield line


class OpenLine:
    """What came of a stream after its last newline."""

    _offset: int
    _time: datetime

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._held = bytearray()

    def cut(self, chunk: Chunk) -> Iterator[Line]:
        """Yield the lines that ``chunk`` completes, and hold what remains."""
        yield from self.break_off(chunk)
        begin = 0
        while (newline := chunk.data.find(b"\n", begin)) >= 0:
            self._hold(chunk, begin, newline)
            yield from self._full_parts(chunk.time)
            yield self._rest()
            begin = newline + 1
        if begin < len(chunk.data):
            self._hold(chunk, begin, len(chunk.data))
            yield from self._full_parts(chunk.time)

    def end(self) -> Iterator[Line]:
        if self._held:
            yield self._rest()

    def break_off(self, chunk: Chunk) -> Iterator[Line]:
        """Yield what is held if ``chunk`` does not follow it: some of the stream was let go of."""
        if self._held and chunk.offset != self._offset + len(self._held):
            yield self._rest()

    def _hold(self, chunk: Chunk, begin: int, end: int) -> None:
        if not self._held:
            self._offset, self._time = chunk.offset + begin, chunk.time
        self._held += chunk.data[begin:end]

    def _full_parts(self, time: datetime) -> Iterator[Line]:
        while len(self._held) > LONGEST_PART:
            # Not final: a character that the cut goes through belongs to the next part.
            text, length = codecs.utf_8_decode(self._held[:LONGEST_PART], "replace", False)
            yield Line(self._stream, self._offset, self._time, text)
            del self._held[:length]
            self._offset += length
            self._time = time

    def _rest(self) -> Line:
        text = self._held.decode("utf-8", "replace")
        self._held.clear()
        return Line(self._stream, self._offset, self._time, text)
