"""Every change is heard, by the index and by followers, whatever the kernel has left to watch."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from loguru import logger

from moored.streams.follow import Hub
from moored.streams.index import Index, Record
from moored.streams.inotify import Inotify
from moored.streams.output import Output, RunOutput, Stream, index_path
from tests.unit.outputs import BOX, DEADLINE, SECOND, grown_to, write

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


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


@pytest.fixture
def warnings() -> Iterator[list[str]]:
    said: list[str] = []
    sink = logger.add(lambda line: said.append(str(line)), level="WARNING", format="{message}")
    yield said
    logger.remove(sink)


class Exhausted(Inotify):
    """A kernel that has no watch left until ``freed``."""

    def __init__(self) -> None:
        super().__init__()
        self.freed = False

    def watch(self, path: str) -> int:
        if not self.freed:
            raise OSError(errno.ENOSPC, "no space left on device")
        return super().watch(path)


class Overflowing(Inotify):
    """A kernel whose queue is always full: it tells that something changed, but not what."""

    def fired(self) -> list[int] | None:
        return None if super().fired() else []


class Bell:
    """Counts its rings; each can be waited for."""

    def __init__(self) -> None:
        self.rings = 0
        self._rung = asyncio.Event()

    def ring(self) -> None:
        self.rings += 1
        self._rung.set()

    async def rung(self) -> None:
        async with asyncio.timeout(DEADLINE):
            await self._rung.wait()
        self._rung.clear()


def records(file: Path) -> list[Record]:
    index = Index(file)
    try:
        return index.block(0)
    finally:
        index.close()


async def recorded(file: Path, count: int) -> list[Record]:
    await grown_to(index_path(file), count * 16)
    return records(file)


async def test_what_is_written_is_put_into_the_index(hub: Hub, run: RunOutput) -> None:
    hub.watch(BOX, 1)
    write(run.stdout, b"one", at=10, indexed=False)
    assert await recorded(run.stdout, 1) == [(3, 10 * SECOND)]
    write(run.stdout, b"two", at=20, indexed=False)
    assert await recorded(run.stdout, 2) == [(3, 10 * SECOND), (6, 20 * SECOND)]
    write(run.stderr, b"three", at=30, indexed=False)
    assert await recorded(run.stderr, 1) == [(5, 30 * SECOND)]


async def test_unwatching_writes_the_last_record(hub: Hub, run: RunOutput) -> None:
    hub.watch(BOX, 1)
    write(run.stderr, b"last words", at=10, indexed=False)
    await hub.unwatch(BOX, 1)
    assert records(run.stderr) == [(10, 10 * SECOND)]
    assert records(run.stdout) == []


async def test_closing_writes_the_last_records(output: Output, run: RunOutput) -> None:
    hub = Hub(output)
    hub.start()
    hub.watch(BOX, 1)
    write(run.stdout, b"last words", at=10, indexed=False)
    await hub.close()
    assert records(run.stdout) == [(10, 10 * SECOND)]


async def test_what_was_written_while_nobody_watched_has_the_files_time(
    hub: Hub, run: RunOutput
) -> None:
    write(run.stdout, b"before", at=10)
    write(run.stdout, b"meanwhile", at=20, indexed=False)
    hub.watch(BOX, 1)
    assert await recorded(run.stdout, 2) == [(6, 10 * SECOND), (15, 20 * SECOND)]


async def test_a_file_written_without_pause_gets_few_records(hub: Hub, run: RunOutput) -> None:
    hub.watch(BOX, 1)
    loop = asyncio.get_running_loop()
    began, writes = loop.time(), 0
    with run.stdout.open("ab", buffering=0) as opened:
        while len(records(run.stdout)) < 5:
            for _ in range(100):
                writes += opened.write(b"x")
            await asyncio.sleep(0)
    assert writes > 1000
    assert loop.time() - began > 0.35


async def test_watching_what_is_gone_harms_nobody(hub: Hub, output: Output, run: RunOutput) -> None:
    hub.watch(BOX, 7)
    hub.watch(BOX, 1)
    write(run.stdout, b"one", at=10, indexed=False)
    await recorded(run.stdout, 1)
    output.remove(BOX)
    await hub.unwatch(BOX, 1)
    await hub.unwatch(BOX, 7)
    await hub.unwatch(BOX, 8)
    assert output.containers() == []


async def test_a_follower_is_rung_once_for_each_time_it_listens(hub: Hub, run: RunOutput) -> None:
    bell = Bell()
    follow = hub.follow(run, Stream, bell.ring)
    for round_ in range(3):
        follow.listen()
        write(run.stderr, b"x", at=10, indexed=False)
        write(run.stderr, b"x", at=20, indexed=False)
        await bell.rung()
        assert bell.rings == round_ + 1
    follow.close()


async def test_a_closed_follower_is_never_rung(hub: Hub, run: RunOutput) -> None:
    silent, bell = Bell(), Bell()
    closed, follow = hub.follow(run, Stream, silent.ring), hub.follow(run, Stream, bell.ring)
    closed.listen()
    closed.close()
    follow.listen()
    write(run.stdout, b"x", at=10, indexed=False)
    await bell.rung()
    assert silent.rings == 0
    follow.close()


def kernel_watches() -> int:
    """Count this process's watches as the kernel lists them."""
    lists = [
        Path(f"/proc/self/fdinfo/{fd.name}").read_text()
        for fd in Path("/proc/self/fd").iterdir()
        if fd.is_symlink() and os.readlink(fd) == "anon_inode:inotify"
    ]
    return sum(text.count("inotify wd:") for text in lists)


async def test_what_nobody_wants_to_hear_of_is_not_watched(hub: Hub, run: RunOutput) -> None:
    bell = Bell()
    hub.watch(BOX, 1)
    follow = hub.follow(run, Stream, bell.ring)
    follow.listen()
    assert kernel_watches() == 2
    await hub.unwatch(BOX, 1)
    assert kernel_watches() == 2
    follow.close()
    assert kernel_watches() == 0


async def test_a_follower_hears_that_the_files_are_removed(
    hub: Hub, output: Output, run: RunOutput
) -> None:
    bell = Bell()
    follow = hub.follow(run, [Stream.STDOUT], bell.ring)
    follow.listen()
    with run.stdout.open("ab"):  # as the shim has it: the file lives on without a name
        output.remove(BOX)
        await bell.rung()
        follow.listen()  # to what is gone: no harm
    follow.close()


async def test_following_and_recording_one_run_do_not_disturb_each_other(
    hub: Hub, run: RunOutput
) -> None:
    hub.watch(BOX, 1)
    bell = Bell()
    follow = hub.follow(run, Stream, bell.ring)
    follow.listen()
    write(run.stdout, b"one", at=10, indexed=False)
    await bell.rung()
    await hub.unwatch(BOX, 1)
    assert records(run.stdout) == [(3, 10 * SECOND)]
    follow.listen()
    write(run.stdout, b"two", at=20, indexed=False)
    await bell.rung()
    follow.close()


async def test_without_a_watch_left_times_are_coarse_and_one_warning_says_so(
    output: Output, run: RunOutput, warnings: list[str]
) -> None:
    hub = Hub(output, open_notifier=Exhausted)
    hub.start()
    hub.watch(BOX, 1)
    write(run.stdout, b"one", at=10, indexed=False)
    await recorded(run.stdout, 1)
    write(run.stdout, b"two", at=20, indexed=False)
    await hub.unwatch(BOX, 1)
    await hub.close()
    assert records(run.stdout) == [(3, 10 * SECOND), (6, 20 * SECOND)]
    assert len(warnings) == 1
    assert warnings[0].startswith("cannot watch output files: [Errno 28]")


async def test_without_a_watch_left_followers_are_rung_all_the_same(
    output: Output, run: RunOutput
) -> None:
    hub = Hub(output, open_notifier=Exhausted)
    hub.start()
    bell = Bell()
    follow = hub.follow(run, Stream, bell.ring)
    follow.listen()
    await bell.rung()
    await bell.rung()
    follow.close()
    await hub.close()


async def test_watches_that_get_free_are_used(output: Output, run: RunOutput) -> None:
    notifier = Exhausted()
    hub = Hub(output, open_notifier=lambda: notifier)
    hub.start()
    bell = Bell()
    follow = hub.follow(run, [Stream.STDOUT], bell.ring)
    follow.listen()
    await bell.rung()
    notifier.freed = True
    await bell.rung()  # looked at once more, now that it is watched
    write(run.stdout, b"x", at=10, indexed=False)
    await bell.rung()
    follow.close()
    await hub.close()


async def test_a_run_that_could_not_be_watched_is_looked_at_now_and_then(
    output: Output, run: RunOutput
) -> None:
    hub = Hub(output, open_notifier=Exhausted, unheard_pace=0.05)
    hub.start()
    hub.watch(BOX, 1)
    write(run.stdout, b"one", at=10, indexed=False)
    await recorded(run.stdout, 1)
    write(run.stdout, b"two", at=20, indexed=False)
    assert await recorded(run.stdout, 2) == [(3, 10 * SECOND), (6, 20 * SECOND)]
    await hub.close()


async def test_without_inotify_the_service_runs_and_says_what_it_lacks(
    output: Output, run: RunOutput, warnings: list[str]
) -> None:
    def refuse() -> Inotify:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    hub = Hub(output, open_notifier=refuse)
    hub.start()
    hub.watch(BOX, 1)
    write(run.stdout, b"one", at=10, indexed=False)
    await hub.unwatch(BOX, 1)
    await hub.close()
    assert records(run.stdout) == [(3, 10 * SECOND)]
    assert len(warnings) == 1
    assert "Too many open files" in warnings[0]


async def test_events_that_got_lost_make_everything_looked_at(
    output: Output, run: RunOutput
) -> None:
    hub = Hub(output, open_notifier=Overflowing)
    hub.start()
    hub.watch(BOX, 1)
    bell = Bell()
    follow = hub.follow(run, [Stream.STDERR], bell.ring)
    follow.listen()
    write(run.stdout, b"one", at=10, indexed=False)
    await recorded(run.stdout, 1)
    write(run.stdout, b"two", at=20, indexed=False)
    await bell.rung()
    assert await recorded(run.stdout, 2) == [(3, 10 * SECOND), (6, 20 * SECOND)]
    follow.close()
    await hub.close()


async def test_an_index_that_cannot_be_written_is_told_and_does_no_harm(
    hub: Hub, output: Output, run: RunOutput, warnings: list[str]
) -> None:
    os.unlink(index_path(run.stdout))
    os.mkdir(index_path(run.stdout))
    hub.watch(BOX, 1)
    write(run.stdout, b"one", at=10, indexed=False)
    write(run.stderr, b"two", at=10, indexed=False)
    await recorded(run.stderr, 1)
    await hub.unwatch(BOX, 1)
    assert [line.split(":")[0] for line in warnings] == [
        "cannot write down when output was written"
    ]
    assert output.remove(BOX)


async def test_many_runs_share_the_loop(hub: Hub, output: Output) -> None:
    runs = [output.create(BOX, run) for run in range(1, 401)]
    for run in runs:
        hub.watch(BOX, run.run)
        write(run.stdout, b"one", at=10, indexed=False)
    await recorded(runs[-1].stdout, 1)
    for run in runs:
        await hub.unwatch(BOX, run.run)
    assert all(records(run.stdout) == [(3, 10 * SECOND)] for run in runs)


async def test_closing_twice_or_unwatching_after_it_is_no_harm(
    output: Output, run: RunOutput
) -> None:
    hub = Hub(output)
    await hub.close()
    hub.start()
    hub.watch(BOX, 1)
    await hub.close()
    await hub.close()
    hub.watch(BOX, 1)
    await hub.unwatch(BOX, 1)
    assert records(run.stdout) == []
