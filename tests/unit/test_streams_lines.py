"""Lines are what was written, cut at newlines, whatever the chunks were; none is too long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from moored.streams.lines import LONGEST_PART, Line, lines
from moored.streams.logs import QUIET, Quiet
from moored.streams.output import Stream
from moored.streams.source import Chunk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
AWKWARD = st.sampled_from(
    [b"\n", b"\r\n", b"a", "é".encode(), "€".encode(), "🚢".encode(), b"\xff", b"\xf0\x9f", b"\x00"]
)
WRITTEN = st.lists(st.one_of(AWKWARD, st.binary(max_size=6)), max_size=40).map(b"".join)


def chunk(written: bytes, offset: int = 0, stream: Stream = Stream.STDOUT, at: int = 0) -> Chunk:
    return Chunk(stream, offset, NOON + timedelta(seconds=at), written)


def cut(written: bytes, *sizes: int) -> list[Chunk]:
    """Cut ``written`` into chunks of these sizes, each a second later, and the rest."""
    chunks, offset = [], 0
    for at, size in enumerate((*sizes, len(written))):
        if part := written[offset : offset + size]:
            chunks.append(chunk(part, offset, at=at))
        offset += size
    return chunks


async def lines_of(pieces: Sequence[Chunk | Quiet]) -> list[Line]:
    async def given_pieces() -> AsyncIterator[Chunk | Quiet]:
        for piece in pieces:
            yield piece

    return [line async for line in lines(given_pieces()) if isinstance(line, Line)]


async def texts_of(*pieces: Chunk | Quiet) -> list[str]:
    return [line.text for line in await lines_of(pieces)]


async def test_lines_come_without_their_newline() -> None:
    assert await texts_of(chunk(b"one\n\ntwo\r\n")) == ["one", "", "two\r"]


async def test_a_last_line_without_newline_is_delivered_at_the_end() -> None:
    assert await texts_of(chunk(b"one\ntw"), chunk(b"o", 6)) == ["one", "two"]


async def test_nothing_written_is_no_line() -> None:
    assert await texts_of() == []


async def test_a_line_has_the_place_and_time_of_its_first_byte() -> None:
    found = await lines_of(cut(b"ab\ncdef\n", 1, 3))
    assert [(line.offset, line.time - NOON, line.text) for line in found] == [
        (0, timedelta(0), "ab"),
        (3, timedelta(seconds=1), "cdef"),
    ]


async def test_streams_do_not_mix_within_a_line() -> None:
    assert await texts_of(
        chunk(b"o"),
        chunk(b"e", stream=Stream.STDERR),
        chunk(b"ut\n", 1),
        chunk(b"r", 1, Stream.STDERR),
    ) == ["out", "er"]


async def test_quiet_passes_through_where_it_came() -> None:
    async def pieces() -> AsyncIterator[Chunk | Quiet]:
        yield chunk(b"one\ntw")
        yield QUIET
        yield chunk(b"o\n", 6)

    found = [line async for line in lines(pieces())]
    assert [line if isinstance(line, Quiet) else line.text for line in found] == [
        "one",
        QUIET,
        "two",
    ]


async def test_a_line_of_the_longest_length_comes_in_one_part() -> None:
    written = b"x" * LONGEST_PART + b"\n"
    assert await texts_of(chunk(written)) == ["x" * LONGEST_PART]
    assert await texts_of(*cut(written, LONGEST_PART)) == ["x" * LONGEST_PART]


async def test_a_longer_line_comes_in_parts_that_cut_no_character() -> None:
    written = ("é" * LONGEST_PART + "ü").encode()
    found = await lines_of(cut(b"x" + written, 60000, 60000))
    assert "".join(line.text for line in found) == "x" + written.decode()
    assert [line.offset for line in found] == [0, LONGEST_PART - 1, 2 * LONGEST_PART - 1]


async def test_the_parts_of_an_endless_line_come_as_they_fill() -> None:
    block = bytes(LONGEST_PART)

    async def endless() -> AsyncIterator[Chunk | Quiet]:
        for number in range(100):
            yield chunk(block, number * LONGEST_PART)
            yield QUIET

    parts = 0
    async for line in lines(endless()):
        parts += isinstance(line, Line)
        if isinstance(line, Quiet) and parts == 50:
            break
    assert parts == 50


@settings(deadline=None)
@given(WRITTEN, st.lists(st.integers(1, 9), max_size=40))
async def test_lines_are_the_same_however_chunks_are_cut(written: bytes, sizes: list[int]) -> None:
    expected = written.split(b"\n")
    if not expected[-1]:
        expected.pop()
    found = await lines_of(cut(written, *sizes))
    assert [line.text for line in found] == [text.decode("utf-8", "replace") for text in expected]
    offsets = [0]
    for text in expected[:-1]:
        offsets.append(offsets[-1] + len(text) + 1)
    assert [line.offset for line in found] == (offsets if expected else [])


@settings(deadline=None)
@given(
    st.binary(max_size=5).map(lambda odd: odd.replace(b"\n", b"")),
    st.sampled_from([b"\xff", "é".encode(), "€".encode(), "🚢".encode(), b"\xf0\x9f\x9a", b"\xe2"]),
)
async def test_long_lines_in_parts_read_as_the_whole_line_does(odd: bytes, unit: bytes) -> None:
    written = odd + unit * (3 * LONGEST_PART // 2 // len(unit)) + odd
    found = await lines_of(cut(written, 50000, 50000))
    assert "".join(line.text for line in found) == written.decode("utf-8", "replace")
    ends = [line.offset for line in found[1:]] + [len(written)]
    assert all(0 < end - line.offset <= LONGEST_PART for line, end in zip(found, ends, strict=True))
