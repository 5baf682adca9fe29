"""The law of events: who follows is told from when on nothing is missed, and when it ends."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest

from moored import errors
from moored.containerd.events import Event, Events, ExitSeen, Following, PauseSeen, ResumeSeen
from moored.containerd_api import tasks_pb2, tasks_pb2_grpc
from tests.unit.private_containerd import WITHIN, Private, private

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.real


@pytest.fixture
async def containerd() -> AsyncIterator[Private]:
    async with private() as made:
        yield made


async def _collect(events: Events, into: asyncio.Queue[Event]) -> None:
    async for event in events.follow():
        into.put_nowait(event)


async def test_what_happens_after_following_is_seen(containerd: Private) -> None:
    events = Events(containerd.connection)
    tasks = containerd.tasks
    rpc = tasks_pb2_grpc.TasksStub(containerd.connection.channel)
    call = containerd.connection.unary
    async with asyncio.timeout(WITHIN), aclosing(events.follow()) as following:
        assert await anext(following) == Following()
        run = await containerd.create(["sleep", "1000"])
        pid = await tasks.start(run, within=WITHIN)
        await call(rpc.Pause, tasks_pb2.PauseTaskRequest(container_id=run), "pause")
        assert await anext(following) == PauseSeen(run)
        await call(rpc.Resume, tasks_pb2.ResumeTaskRequest(container_id=run), "resume")
        assert await anext(following) == ResumeSeen(run)
        await tasks.kill(run, signal.SIGKILL)
        exited = await tasks.wait(run)
        assert exited is not None
        assert await anext(following) == ExitSeen(run, pid, exited)


async def test_other_namespaces_are_not_heard(containerd: Private) -> None:
    nobody = Private(containerd.directory)
    seen: asyncio.Queue[Event] = asyncio.Queue()
    events = Events(nobody.connection)
    following = asyncio.create_task(_collect(events, seen))
    assert await seen.get() == Following()
    run = await containerd.create(["sh", "-c", "exit 0"])
    await containerd.tasks.start(run, within=WITHIN)
    await containerd.tasks.wait(run)
    await events.beat(WITHIN)
    assert seen.empty()
    following.cancel()
    await asyncio.wait([following])
    await nobody.connection.close()


async def test_a_beat_comes_back_only_while_somebody_follows(containerd: Private) -> None:
    events = Events(containerd.connection)
    with pytest.raises(errors.RuntimeUnreachable):
        await events.beat(0.1)
    seen: asyncio.Queue[Event] = asyncio.Queue()
    following = asyncio.create_task(_collect(events, seen))
    assert await seen.get() == Following()
    await events.beat(WITHIN)
    process = containerd.embedded.process()
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(errors.RuntimeUnreachable):
        await following
