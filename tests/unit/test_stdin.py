"""Stdin that only one may have ends with that one, whatever becomes of its call."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from moored import errors
from moored.model.identity import RunId, run_id
from moored.storage.channels import Channels
from moored.verbs.stdin import Stdins
from tests.unit import samples

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from moored.model.state import Snapshot


@dataclass
class Containerd:
    """Its CloseIO: each call waits for ``answers``, and fails as long as there are ``failures``."""

    answers: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Queue[RunId] = field(default_factory=asyncio.Queue)
    failures: int = 0
    ended: asyncio.Queue[RunId] = field(default_factory=asyncio.Queue)

    async def close_stdin(self, run: RunId) -> bool:
        self.asked.put_nowait(run)
        await self.answers.wait()
        if self.failures:
            self.failures -= 1
            raise errors.RuntimeUnreachable("cannot close stdin: containerd does not answer")
        self.ended.put_nowait(run)
        return True


@pytest.fixture
def snapshot() -> Snapshot:
    plain = samples.snapshot()
    return replace(plain, run=1, spec=replace(plain.spec, stdin=True, stdin_once=True))


@pytest.fixture
def containerd() -> Containerd:
    return Containerd()


@pytest.fixture
def stdins(tmp_path: Path, snapshot: Snapshot, containerd: Containerd) -> Iterator[Stdins]:
    channels = Channels(tmp_path)
    fifo = channels.open(run_id(snapshot.id, 1), stdin=True)
    assert fifo is not None
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    yield Stdins(channels=channels, closer=containerd, pause=0)
    os.close(reader)


async def next_of(queue: asyncio.Queue[RunId]) -> RunId:
    async with asyncio.timeout(10):
        return await queue.get()


async def test_a_call_that_is_cut_short_while_it_leaves_ends_it_all_the_same(
    stdins: Stdins, snapshot: Snapshot, containerd: Containerd
) -> None:
    hold = stdins.take(snapshot)

    async def call() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            hold.leave()
            await asyncio.Event().wait()

    caller = asyncio.create_task(call())
    await asyncio.sleep(0)
    caller.cancel()
    run = await next_of(containerd.asked)
    caller.cancel()
    await asyncio.wait([caller], timeout=10)
    assert caller.cancelled()
    hold.leave()
    containerd.answers.set()
    assert await next_of(containerd.ended) == run
    assert containerd.asked.empty()


async def test_a_containerd_that_does_not_answer_is_asked_again(
    stdins: Stdins, snapshot: Snapshot, containerd: Containerd
) -> None:
    containerd.failures = 3
    containerd.answers.set()
    stdins.take(snapshot).leave()
    run = await next_of(containerd.ended)
    assert [containerd.asked.get_nowait() for _ in range(4)] == [run] * 4


async def test_a_run_that_is_over_is_let_go_of(
    stdins: Stdins, snapshot: Snapshot, containerd: Containerd
) -> None:
    stdins.take(snapshot).leave()
    run = await next_of(containerd.asked)
    stdins.drop(run)
    containerd.answers.set()
    await stdins.close()
    assert containerd.ended.empty()


async def test_what_an_older_moored_left_open_is_ended(
    stdins: Stdins, snapshot: Snapshot, containerd: Containerd
) -> None:
    stdins.recover(snapshot)
    assert containerd.asked.empty()
    stdins.channels.use_once(run_id(snapshot.id, 1))
    containerd.answers.set()
    stdins.recover(snapshot)
    assert await next_of(containerd.ended) == run_id(snapshot.id, 1)
