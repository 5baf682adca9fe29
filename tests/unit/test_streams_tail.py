"""The last lines of several streams are the ones that ended last; finding them reads no more."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, replace
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from moored.streams.index import Segment
from moored.streams.tail import BLOCK, Strand, TailSearch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True)
class Write:
    rank: int
    text: bytes
    time: int


WRITES = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.lists(st.sampled_from([b"\n", b"a", b"bcd"]), min_size=1, max_size=8).map(b"".join),
        st.integers(0, 2),
    ),
    max_size=25,
).map(
    lambda steps: [
        Write(rank, text, sum(pause for _, _, pause in steps[: n + 1]))
        for n, (rank, text, _) in enumerate(steps)
    ]
)


def segments(writes: Sequence[Write], rank: int) -> list[Segment]:
    found: list[Segment] = []
    at = 0
    for write in writes:
        if write.rank == rank:
            found.append(Segment(at, at + len(write.text), write.time))
            at += len(write.text)
    return found


@contextmanager
def strands(writes: Sequence[Write], *, block: int = BLOCK) -> Iterator[list[Strand]]:
    """Real files with what was written to each stream."""
    with TemporaryFile() as stdout, TemporaryFile() as stderr:
        files: tuple[IO[bytes], IO[bytes]] = (stdout, stderr)
        made = []
        for rank, file in enumerate(files):
            file.write(b"".join(write.text for write in writes if write.rank == rank))
            file.flush()
            size = os.fstat(file.fileno()).st_size
            parts = iter(segments(writes, rank)[::-1])
            made.append(Strand(file.fileno(), 0, size, parts, rank, block))
        yield made


async def starts(strands: Sequence[Strand], lines: int) -> list[int]:
    search = TailSearch(strands, lines)
    while not await search.go_on():
        pass
    return [strand.start for strand in strands]


def expected_starts(writes: Sequence[Write], lines: int) -> list[int]:
    """Say the same by listing every line there is, in the order in which they ended."""
    ended: list[tuple[int, int, int, int]] = []  # time, rank, offset of the last byte, of the first
    sizes = []
    for rank in (0, 1):
        text = b"".join(write.text for write in writes if write.rank == rank)
        sizes.append(len(text))
        times = [write.time for write in writes if write.rank == rank for _ in write.text]
        first = 0
        for offset, byte in enumerate(text):
            if byte == ord("\n") or offset == len(text) - 1:
                ended.append((times[offset], rank, offset, first))
                first = offset + 1
    last = sorted(ended)[max(0, len(ended) - lines) :]
    return [min([sizes[rank], *(line[3] for line in last if line[1] == rank)]) for rank in (0, 1)]


@settings(deadline=None)
@given(WRITES, st.integers(1, 30), st.integers(1, 9))
async def test_the_tail_is_the_lines_that_ended_last(
    writes: list[Write], lines: int, block: int
) -> None:
    with strands(writes, block=block) as found:
        assert await starts(found, lines) == expected_starts(writes, lines)


async def test_lines_of_both_streams_count_together() -> None:
    writes = [Write(0, b"1\n2\n", 1), Write(1, b"3\n", 2), Write(0, b"4\n", 3)]
    for lines, start in ((1, [4, 2]), (2, [4, 0]), (3, [2, 0]), (9, [0, 0])):
        with strands(writes) as found:
            assert await starts(found, lines) == start


async def test_nothing_before_the_floor_is_looked_at() -> None:
    writes = [Write(0, b"1\n2\n", 1), Write(0, b"34\n", 2)]
    with strands(writes) as (stdout, stderr):
        floored = replace(stdout, floor=5, segments=iter(segments(writes, 0)[::-1]))
        assert await starts([floored, stderr], 9) == [5, 0]


async def test_a_large_file_is_read_from_its_end_only() -> None:
    with strands([]) as (stdout, stderr):
        os.pwrite(stdout.fd, b"\nlast\n", 1 << 40)  # the rest is a hole: reading it takes hours
        end = os.fstat(stdout.fd).st_size
        large = replace(stdout, end=end, segments=iter([Segment(0, end, 1)]))
        assert await starts([large, stderr], 1) == [(1 << 40) + 1, 0]


async def test_a_search_through_a_line_without_end_stops_now_and_then() -> None:
    with strands([]) as (stdout, _):
        os.ftruncate(stdout.fd, 1 << 30)
        large = replace(stdout, end=1 << 30, segments=iter([Segment(0, 1 << 30, 1)]))
        assert not await TailSearch([large], 1).go_on()


async def test_a_file_that_shrinks_meanwhile_ends_the_search() -> None:
    with strands([Write(0, b"1\n2\n3\n", 1)]) as found:
        os.ftruncate(found[0].fd, 1)
        assert await starts(found, 2) == [0, 0]
