"""Rotation lets go of the oldest lines and of nothing else, whoever writes and reads meanwhile."""

from __future__ import annotations

import asyncio
import os
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moored.model.output import LogConfig, LogDriver, Retention, violations
from moored.streams import index
from moored.streams.floor import floor_of, raise_floor
from moored.streams.follow import Hub
from moored.streams.index import Index, Record, append
from moored.streams.lines import lines
from moored.streams.logs import LogReader, Quiet, Selection
from moored.streams.output import Output, Stream, index_path
from moored.streams.rotation import Rotator, rotate
from tests.unit.outputs import BOX, DEADLINE, Ending, all_of, chunk_of, write

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from moored.streams.lines import Line
    from moored.streams.output import RunOutput

OUT = Stream.STDOUT
BLOCK = 4096


@pytest.fixture
def output(tmp_path: Path) -> Output:
    return Output(tmp_path)


@pytest.fixture
def run(output: Output) -> RunOutput:
    return output.create(BOX, 1)


@pytest.fixture
async def hub(output: Output) -> AsyncIterator[Hub]:
    hub = Hub(output, retention=lambda _: Retention(8 * BLOCK, 2))
    hub.start()
    yield hub
    await hub.close()


def numbered(first: int, count: int) -> bytes:
    """Lines of 64 bytes that count up."""
    return b"".join(f"{number:063d}\n".encode() for number in range(first, first + count))


def blocks(file: Path) -> int:
    """Return how many bytes of disk ``file`` takes."""
    return file.stat().st_blocks * 512


async def texts(run: RunOutput, hub: Hub, ending: Ending | None = None) -> list[str]:
    async with asyncio.timeout(DEADLINE), LogReader(run, hub, run=ending) as reader:
        return [line.text async for line in lines(reader.pieces()) if not isinstance(line, Quiet)]


@given(
    floor=st.integers(0, 10**6), grown=st.integers(0, 10**6), size=st.integers(1, 10**5),
    files=st.integers(1, 9),
)  # fmt: skip
def test_what_is_kept_is_never_more_than_all_files_and_never_less_than_all_but_one(
    floor: int, grown: int, size: int, files: int
) -> None:
    kept = Retention(size, files)
    to = kept.floor(floor, floor + grown)
    left = floor + grown - to
    assert floor <= to
    assert left <= size * files
    assert left > size * (files - 1) or to == floor
    assert kept.floor(to, floor + grown) == to


def test_what_was_let_go_of_gives_its_blocks_back_and_the_rest_is_as_it_was(
    run: RunOutput,
) -> None:
    write(run.stdout, numbered(0, 1024), at=1)
    floor = rotate(str(run.stdout), 10 * BLOCK + 1)
    assert floor == floor_of(run.stdout) == 10 * BLOCK + 64
    assert run.stdout.stat().st_size == 16 * BLOCK
    assert blocks(run.stdout) <= 6 * BLOCK
    assert run.stdout.read_bytes()[floor:] == numbered(floor // 64, 1024 - floor // 64)


def test_one_that_was_cut_short_between_its_two_steps_is_completed_by_the_same_again(
    run: RunOutput,
) -> None:
    write(run.stdout, numbered(0, 1024), at=1)
    raise_floor(run.stdout, 10 * BLOCK)  # and then the server was killed
    assert blocks(run.stdout) >= 16 * BLOCK
    assert rotate(str(run.stdout), 10 * BLOCK) == 10 * BLOCK
    assert blocks(run.stdout) <= 6 * BLOCK
    assert run.stdout.read_bytes()[10 * BLOCK :] == numbered(640, 384)


def test_a_line_that_begins_right_there_is_kept(run: RunOutput) -> None:
    write(run.stdout, numbered(0, 256), at=1)
    assert rotate(str(run.stdout), BLOCK) == BLOCK


def test_a_line_without_an_end_is_cut(run: RunOutput) -> None:
    write(run.stdout, b"x" * 50 * BLOCK, at=1)
    assert rotate(str(run.stdout), 10 * BLOCK) == 10 * BLOCK


def test_the_floor_never_falls(run: RunOutput) -> None:
    write(run.stdout, numbered(0, 256), at=1)
    assert rotate(str(run.stdout), 2 * BLOCK) == 2 * BLOCK
    assert rotate(str(run.stdout), BLOCK) == 2 * BLOCK


def test_what_is_removed_does_not_come_back(output: Output, run: RunOutput) -> None:
    write(run.stdout, numbered(0, 256), at=1)
    output.remove(BOX)
    rotate(str(run.stdout), BLOCK)
    assert not raise_floor(run.stdout, BLOCK)
    assert not run.stdout.parent.exists()


async def test_a_reader_begins_where_what_is_kept_does(run: RunOutput, hub: Hub) -> None:
    write(run.stdout, numbered(0, 256), at=1)
    rotate(str(run.stdout), BLOCK)
    async with LogReader(run, hub) as reader:
        chunks = await all_of(reader)
    assert chunks[0].offset == BLOCK
    assert b"".join(chunk.data for chunk in chunks) == numbered(64, 192)


async def test_the_last_lines_are_found_above_the_floor(run: RunOutput, hub: Hub) -> None:
    write(run.stdout, numbered(0, 256), at=1)
    rotate(str(run.stdout), BLOCK)
    for tail, count in ((3, 3), (192, 192), (5000, 192)):
        async with LogReader(run, hub, Selection(tail=tail)) as reader:
            found = b"".join(chunk.data for chunk in await all_of(reader))
        assert found == numbered(256 - count, count)


async def test_a_reader_whom_the_floor_has_passed_goes_on_there_with_a_whole_line(
    run: RunOutput, hub: Hub
) -> None:
    write(run.stdout, numbered(0, 4096) + b"half", at=1)
    ending = Ending()
    async with LogReader(run, hub, run=ending) as reader:
        first = await chunk_of(reader)
        assert first.offset == 0
        rotate(str(run.stdout), 50 * BLOCK)
        ending.end()
        rest = await all_of(reader)
    assert rest[-1].data.endswith(b"half")
    jumps = [(a, b) for a, b in pairwise([first, *rest]) if a.offset + len(a.data) != b.offset]
    assert [b.offset for _, b in jumps] == [50 * BLOCK]
    assert not any(b"\0" in chunk.data for chunk in rest)


async def test_no_line_is_made_of_two_that_rotation_took_apart(run: RunOutput, hub: Hub) -> None:
    write(run.stdout, numbered(0, 8192), at=1)
    ending = Ending()
    found: list[Line] = []
    async with asyncio.timeout(DEADLINE), LogReader(run, hub, run=ending) as reader:
        async for line in lines(reader.pieces()):
            assert not isinstance(line, Quiet)
            found.append(line)
            if len(found) == 1:
                rotate(str(run.stdout), 100 * BLOCK)
                ending.end()
    assert {len(line.text) for line in found} == {63}
    assert int(found[-1].text) == 8191


async def test_a_file_that_grows_is_rotated_and_none_of_its_newest_lines_is_lost(
    run: RunOutput, hub: Hub
) -> None:
    hub.watch(BOX, 1)
    with run.stdout.open("ab", buffering=0) as writer:
        for first in range(0, 16384, 256):
            writer.write(numbered(first, 256))
            await asyncio.sleep(0)
    async with asyncio.timeout(DEADLINE):
        while not floor_of(run.stdout):  # noqa: ASYNC110  # nobody is told of it
            await asyncio.sleep(0.01)
    await hub.unwatch(BOX, 1)
    await hub.close()
    floor = floor_of(run.stdout)
    assert 256 * BLOCK - floor <= 16 * BLOCK
    assert run.stdout.read_bytes()[floor:] == numbered(floor // 64, 16384 - floor // 64)


async def test_a_rotation_that_fails_fails_nothing(tmp_path: Path) -> None:
    rotator = Rotator()
    directory = tmp_path / "no-file"
    directory.mkdir()
    rotator.consider(str(directory), 100, Retention(1, 1))
    await rotator.close()


def test_the_index_is_let_go_of_with_what_it_is_about(run: RunOutput) -> None:
    for number in range(1, 2001):
        append(run.stdout, Record(number * 100, number))
    index.let_go(run.stdout, 150_050)
    read = Index(run.stdout)
    assert blocks(Path(index_path(run.stdout))) <= 4 * BLOCK
    assert read.since(1600) == 159_900
    assert read.block(read.after(150_050), 1) == [Record(150_100, 1501)]
    assert next(iter(read.backwards(200_000, 5000))).start == 199_900
    append(run.stdout, Record(200_100, 2001))
    assert read.since(2002) == 200_100
    read.close()


def test_an_index_without_end_loses_its_older_half(run: RunOutput) -> None:
    for number in range(1, 2001):
        append(run.stdout, Record(number, number))
    index.let_go(run.stdout, 0, most=1000)
    read = Index(run.stdout)
    assert read.since(1900) == 1899
    segments = list(read.backwards(2000, 3000))
    assert (segments[0].end, segments[-1].start) == (2000, 0)
    assert len(segments) < 1300
    read.close()


@given(st.lists(st.integers(1, 200), max_size=60), st.integers(0, 8000))
@settings(max_examples=40, deadline=None)
def test_offsets_and_times_are_the_same_before_and_after(steps: list[int], floor: int) -> None:
    with TemporaryDirectory() as directory:
        run = Output(Path(directory)).create(BOX, 1)
        size = 0
        for number, step in enumerate(steps, 1):
            size += step
            append(run.stdout, Record(size, number))
        before = Index(run.stdout)
        kept = [segment for segment in before.backwards(size, 999) if segment.start >= floor]
        before.close()
        index.let_go(run.stdout, floor)
        after = Index(run.stdout)
        assert [s for s in after.backwards(size, 999) if s.start >= floor] == kept
        after.close()


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (LogConfig(max_size=1), "log_config.max_size"),
        (LogConfig(max_size=-1), "log_config.max_size"),
        (LogConfig(max_files=1001), "log_config.max_files"),
        (LogConfig(LogDriver.NONE, max_files=2), "log_config.driver"),
    ],
)
def test_limits_that_make_no_sense_are_refused_by_their_field(asked: LogConfig, field: str) -> None:
    assert [violation.field for violation in violations(asked)] == [field]


def test_files_that_are_rotated_are_where_they_were(run: RunOutput) -> None:
    write(run.stdout, numbered(0, 256), at=1)
    before = os.stat(run.stdout).st_ino
    rotate(str(run.stdout), BLOCK)
    assert os.stat(run.stdout).st_ino == before
