"""A reader gets exactly what was written, in order, once, and a follower knows when it ends."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moored import errors
from moored.streams.follow import Hub
from moored.streams.logs import QUIET, LogReader, Selection
from moored.streams.output import Output, RunOutput, Stream, index_path
from moored.streams.source import LARGEST_CHUNK, Chunk
from tests.unit.outputs import BOX, DEADLINE, Ending, all_of, chunk_of, write

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

OUT, ERR = Stream.STDOUT, Stream.STDERR


@pytest.fixture
def output(tmp_path: Path) -> Output:
    return Output(tmp_path)


@pytest.fixture
def run(output: Output) -> RunOutput:
    return output.create(BOX, 1)


@pytest.fixture
async def hub(output: Output) -> AsyncIterator[Hub]:
    hub = Hub(output)
    hub.start()
    yield hub
    await hub.close()


def second(number: int) -> datetime:
    return datetime.fromtimestamp(number, UTC)


def told(chunks: Sequence[Chunk]) -> list[tuple[Stream, bytes]]:
    """Join chunks of the same stream that follow each other."""
    return [
        (stream, b"".join(chunk.data for chunk in group))
        for stream, group in groupby(chunks, key=lambda chunk: chunk.stream)
    ]


async def read(run: RunOutput, hub: Hub, selection: Selection) -> list[tuple[Stream, bytes]]:
    async with LogReader(run, hub, selection) as reader:
        return told(await all_of(reader))


def talk(run: RunOutput) -> None:
    """Three sentences on both streams, a second apart."""
    write(run.stdout, b"out 1\n", at=1)
    write(run.stderr, b"err 2\n", at=2)
    write(run.stdout, b"out 3\n", at=3)
    write(run.stderr, b"err 4\n", at=4)
    write(run.stdout, b"out 5\n", at=5, indexed=False)


async def test_streams_come_merged_in_the_order_of_time(run: RunOutput, hub: Hub) -> None:
    talk(run)
    async with LogReader(run, hub) as reader:
        assert await all_of(reader) == [
            Chunk(OUT, 0, second(1), b"out 1\n"),
            Chunk(ERR, 0, second(2), b"err 2\n"),
            Chunk(OUT, 6, second(3), b"out 3\n"),
            Chunk(ERR, 6, second(4), b"err 4\n"),
            Chunk(OUT, 12, second(5), b"out 5\n"),
        ]


async def test_one_stream_can_be_chosen(run: RunOutput, hub: Hub) -> None:
    talk(run)
    assert await read(run, hub, Selection(frozenset({ERR}))) == [(ERR, b"err 2\nerr 4\n")]


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(tail=0), []),
        (Selection(tail=1), [(OUT, b"out 5\n")]),
        (Selection(tail=2), [(ERR, b"err 4\n"), (OUT, b"out 5\n")]),
        (Selection(tail=1, streams=frozenset({ERR})), [(ERR, b"err 4\n")]),
        (Selection(since=second(4)), [(ERR, b"err 4\n"), (OUT, b"out 5\n")]),
        (Selection(since=second(5)), [(OUT, b"out 5\n")]),
        (Selection(since=second(6)), []),
        (Selection(since=second(4), tail=1), [(OUT, b"out 5\n")]),
        (Selection(since=second(4), tail=9), [(ERR, b"err 4\n"), (OUT, b"out 5\n")]),
        (Selection(since=second(6), tail=9), []),
    ],
)
async def test_only_what_was_asked_for_is_delivered(
    run: RunOutput, hub: Hub, selection: Selection, expected: list[tuple[Stream, bytes]]
) -> None:
    talk(run)
    assert await read(run, hub, selection) == expected


async def test_without_an_index_everything_has_the_files_time(run: RunOutput, hub: Hub) -> None:
    talk(run)
    for stream in Stream:
        os.unlink(index_path(run.path(stream)))
    assert await read(run, hub, Selection()) == [
        (ERR, b"err 2\nerr 4\n"),
        (OUT, b"out 1\nout 3\nout 5\n"),
    ]


async def test_times_never_fall_though_clocks_do(run: RunOutput, hub: Hub) -> None:
    write(run.stdout, b"one", at=5)
    write(run.stdout, b"two", at=3, indexed=False)
    async with LogReader(run, hub) as reader:
        assert [chunk.time for chunk in await all_of(reader)] == [second(5), second(5)]


async def test_large_output_comes_in_chunks_of_bounded_size(run: RunOutput, hub: Hub) -> None:
    written = os.urandom(5 * LARGEST_CHUNK + 7)
    write(run.stdout, written, at=1)
    async with LogReader(run, hub) as reader:
        chunks = await all_of(reader)
    assert told(chunks) == [(OUT, written)]
    assert max(len(chunk.data) for chunk in chunks) <= LARGEST_CHUNK


async def test_output_that_is_on_the_disk_only_is_read_whole(run: RunOutput, hub: Hub) -> None:
    written = os.urandom(3 * LARGEST_CHUNK)
    with run.stdout.open("ab") as opened:
        opened.write(written)
        opened.flush()
        os.fsync(opened.fileno())
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    assert await read(run, hub, Selection()) == [(OUT, written)]


async def test_a_reader_ends_at_what_was_there_when_it_began(run: RunOutput, hub: Hub) -> None:
    write(run.stdout, b"before", at=1)
    async with LogReader(run, hub) as reader:
        write(run.stdout, b"after", at=2)
        assert told(await all_of(reader)) == [(OUT, b"before")]


async def test_output_that_is_gone_is_an_error(run: RunOutput, hub: Hub, output: Output) -> None:
    output.remove(BOX)
    with pytest.raises(errors.RunNotFound, match="cannot read output of run 1") as refused:
        async with LogReader(run, hub):
            pass
    assert refused.value.facts == {"container": BOX, "run": "1"}


async def test_output_that_cannot_be_opened_leaves_nothing_open(run: RunOutput, hub: Hub) -> None:
    run.stderr.unlink()
    run.stderr.symlink_to(run.stderr)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="symbolic links"):
        await LogReader(run, hub).__aenter__()
    assert len(os.listdir("/proc/self/fd")) == before


async def test_a_follower_gets_what_is_written_as_it_is_written(run: RunOutput, hub: Hub) -> None:
    hub.watch(BOX, 1)
    ending = Ending()
    async with LogReader(run, hub, run=ending) as reader:
        for stream, words in ((OUT, b"one"), (ERR, b"two"), (OUT, b"three")):
            write(run.path(stream), words, at=1, indexed=False)
            chunk = await chunk_of(reader)
            assert (chunk.stream, chunk.data) == (stream, words)
        ending.end()
        assert await all_of(reader) == []
    await hub.unwatch(BOX, 1)


async def test_a_follower_that_waits_is_woken(run: RunOutput, hub: Hub) -> None:
    ending = Ending()
    async with LogReader(run, hub, run=ending) as reader:
        reading = asyncio.create_task(chunk_of(reader))
        assert await reader_waits(reading)
        write(run.stderr, b"late", at=1, indexed=False)
        assert (await reading).data == b"late"
        last = asyncio.create_task(all_of(reader))
        assert await reader_waits(last)
        ending.end()
        assert await last == []


async def reader_waits(reading: asyncio.Task[object]) -> bool:
    """Let ``reading`` go as far as it can: it turns the loop a few times before it waits."""
    for _ in range(20):
        await asyncio.sleep(0)
    return not reading.done()


async def test_what_was_written_before_the_end_is_delivered_after_it(
    run: RunOutput, hub: Hub
) -> None:
    ending = Ending()
    async with LogReader(run, hub, run=ending) as reader:
        write(run.stdout, b"x" * (3 * LARGEST_CHUNK), at=1, indexed=False)
        assert len((await chunk_of(reader)).data) == LARGEST_CHUNK
        write(run.stderr, b"last words", at=2, indexed=False)
        ending.end()
        assert told(await all_of(reader)) == [
            (OUT, b"x" * (2 * LARGEST_CHUNK)),
            (ERR, b"last words"),
        ]


async def test_a_follower_of_the_end_gets_only_what_is_new(run: RunOutput, hub: Hub) -> None:
    talk(run)
    ending = Ending()
    async with LogReader(run, hub, Selection(tail=0), run=ending) as reader:
        write(run.stdout, b"new", at=9)
        assert (await chunk_of(reader)) == Chunk(OUT, 18, second(9), b"new")
        ending.end()
        assert await all_of(reader) == []


async def test_what_follows_the_tail_follows_without_a_gap(run: RunOutput, hub: Hub) -> None:
    talk(run)
    ending = Ending()
    async with LogReader(run, hub, Selection(tail=2), run=ending) as reader:
        write(run.stderr, b"err 6\n", at=6)
        ending.end()
        assert told(await all_of(reader)) == [
            (ERR, b"err 4\n"),
            (OUT, b"out 5\n"),
            (ERR, b"err 6\n"),
        ]


async def test_a_follower_gets_nothing_from_before_a_time_to_come(run: RunOutput, hub: Hub) -> None:
    ending = Ending()
    async with LogReader(run, hub, Selection(since=second(5)), run=ending) as reader:
        write(run.stdout, b"early", at=4)
        assert await reader.read(within=0) is QUIET
        write(run.stdout, b"in time", at=5)
        assert (await chunk_of(reader)).data == b"in time"


async def test_quiet_is_told_and_loses_nothing(run: RunOutput, hub: Hub) -> None:
    ending = Ending()
    async with LogReader(run, hub, run=ending) as reader:
        assert await reader.read(within=0) is QUIET
        assert await reader.read(within=0.01) is QUIET
        write(run.stdout, b"one", at=1, indexed=False)
        pieces = reader.pieces(quiet_after=0.01)
        assert (await anext(pieces)) == Chunk(OUT, 0, second(1), b"one")
        assert (await anext(pieces)) is QUIET
        write(run.stdout, b"two", at=2, indexed=False)
        ending.end()
        assert [piece async for piece in pieces] == [Chunk(OUT, 3, second(2), b"two")]


async def test_a_read_that_is_cut_short_loses_nothing(run: RunOutput, hub: Hub) -> None:
    written = os.urandom(3 * LARGEST_CHUNK)
    ending = Ending()
    got: list[bytes] = []
    async with LogReader(run, hub, run=ending) as reader:
        with run.stdout.open("ab", buffering=0) as opened:
            for at in range(0, len(written), 1000):
                opened.write(written[at : at + 1000])
                reading = asyncio.create_task(reader.read())
                for _ in range(at // 1000 % 7):  # cut it at one await after the other
                    await asyncio.sleep(0)
                reading.cancel()
                (chunk,) = await asyncio.gather(reading, return_exceptions=True)
                if isinstance(chunk, Chunk):
                    got.append(chunk.data)
        ending.end()
        got += [chunk.data for chunk in await all_of(reader)]
    assert b"".join(got) == written


async def test_a_search_for_the_tail_can_be_cut_short_and_gone_on_with(
    run: RunOutput, hub: Hub
) -> None:
    with run.stdout.open("ab") as opened:
        opened.write(b"first\n")
        opened.truncate(1 << 26)
    async with LogReader(run, hub, Selection(tail=1)) as reader:
        quiet = 0
        while (piece := await reader.read(within=0)) is QUIET:
            quiet += 1
        assert quiet
        assert isinstance(piece, Chunk)
        assert piece.offset == len(b"first\n")


async def test_a_follower_ends_when_the_files_are_removed(
    run: RunOutput, hub: Hub, output: Output
) -> None:
    async with LogReader(run, hub, run=Ending()) as reader:
        write(run.stdout, b"one", at=1)
        reading = asyncio.create_task(all_of(reader))
        assert await reader_waits(reading)
        with run.stderr.open("ab", buffering=0) as opened:
            opened.write(b"two")
            output.remove(BOX)
        assert told(await reading) == [(OUT, b"one"), (ERR, b"two")]


async def test_a_file_that_shrinks_ends_its_readers(run: RunOutput, hub: Hub) -> None:
    write(run.stdout, b"12345678", at=1)
    async with LogReader(run, hub, run=Ending()) as follower:
        assert (await chunk_of(follower)).data == b"12345678"
        run.stderr.unlink()
        os.truncate(run.stdout, 0)
        assert await all_of(follower) == []


async def test_a_file_that_shrinks_does_not_end_the_other(run: RunOutput, hub: Hub) -> None:
    write(run.stdout, b"12345678", at=1)
    write(run.stderr, b"whole", at=2)
    async with LogReader(run, hub) as reader:
        os.truncate(run.stdout, 3)
        assert told(await all_of(reader)) == [(OUT, b"123"), (ERR, b"whole")]


async def test_followers_end_when_the_service_does(run: RunOutput, output: Output) -> None:
    hub = Hub(output)
    hub.start()
    async with LogReader(run, hub, run=Ending()) as reader:
        reading = asyncio.create_task(all_of(reader))
        assert await reader_waits(reading)
        write(run.stdout, b"last", at=1)
        await hub.close()
        assert told(await reading) == [(OUT, b"last")]


async def test_a_run_that_cannot_be_waited_for_fails_its_follower(run: RunOutput, hub: Hub) -> None:
    class Lost(Ending):
        async def wait_ended(self) -> None:
            raise errors.RuntimeUnreachable("cannot wait for run: gone")

    async with LogReader(run, hub, run=Lost()) as reader:
        with pytest.raises(errors.RuntimeUnreachable):
            await all_of(reader)


async def test_readers_leave_no_descriptor_and_no_task(run: RunOutput, hub: Hub) -> None:
    before, tasks = len(os.listdir("/proc/self/fd")), asyncio.all_tasks()
    for _ in range(3):
        async with LogReader(run, hub, run=Ending()) as reader:
            assert await reader.read(within=0) is QUIET
    run.stderr.unlink()
    for _ in range(3):
        with pytest.raises(errors.RunNotFound):
            await LogReader(run, hub).__aenter__()
    assert len(os.listdir("/proc/self/fd")) == before
    assert asyncio.all_tasks() == tasks


async def test_a_real_writer_is_followed_to_its_last_byte(run: RunOutput, hub: Hub) -> None:
    """As a shim does it: another process writes, and the run ends when that has ended."""
    hub.watch(BOX, 1)
    ending = Ending()
    script = f"seq 1 20000 >> {run.stdout}; seq 20001 40000 >> {run.stderr}"
    async with LogReader(run, hub, run=ending) as reader:
        writer = await asyncio.create_subprocess_exec("sh", "-c", script)
        reading = asyncio.create_task(all_of(reader))
        async with asyncio.timeout(DEADLINE):
            assert await writer.wait() == 0
        ending.end()
        chunks = await reading
    for stream, first in ((OUT, 1), (ERR, 20001)):
        expected = "".join(f"{number}\n" for number in range(first, first + 20000))
        assert b"".join(c.data for c in chunks if c.stream is stream) == expected.encode()
    await hub.unwatch(BOX, 1)


WRITES = st.lists(
    st.tuples(
        st.sampled_from(Stream),
        st.lists(st.sampled_from([b"\n", b"a", b"bc"]), min_size=1, max_size=5).map(b"".join),
        st.integers(0, 3),
        st.booleans(),
    ),
    max_size=12,
)


@settings(deadline=None)
@given(WRITES, st.one_of(st.none(), st.integers(0, 15)), st.one_of(st.none(), st.integers(0, 30)))
async def test_whatever_was_asked_what_is_delivered_is_the_end_of_each_stream_in_order(
    writes: list[tuple[Stream, bytes, int, bool]], tail: int | None, since: int | None
) -> None:
    with TemporaryDirectory() as root:
        output = Output(Path(root))
        run = output.create(BOX, 1)
        now = 0
        for stream, text, pause, indexed in writes:
            now += pause
            write(run.path(stream), text, at=now, indexed=indexed)
        selection = Selection(since=None if since is None else second(since), tail=tail)
        async with LogReader(run, Hub(output), selection) as reader:
            chunks = await all_of(reader)
        assert chunks == sorted(chunks, key=lambda c: (c.time, c.stream is ERR, c.offset))
        assert all(since is None or chunk.time >= second(since) for chunk in chunks)
        lines = lines_there = 0
        for stream in Stream:
            got = b"".join(chunk.data for chunk in chunks if chunk.stream is stream)
            whole = run.path(stream).read_bytes()
            assert whole.endswith(got)
            assert got == whole or tail is not None or since is not None
            lines += len(got.splitlines())
            lines_there += len(whole.splitlines())
        assert tail is None or lines == min(tail, lines_there) or since is not None
        assert tail is None or lines <= tail
