"""The law of events: who follows is told from when on nothing is missed, and when it ends."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest
from google.protobuf.any_pb2 import Any

from moored import errors
from moored.containerd.events import (
    Event,
    Events,
    ExitSeen,
    Following,
    PauseSeen,
    ResumeSeen,
    StartSeen,
)
from moored.containerd_api import (
    events_pb2,
    events_pb2_grpc,
    task_events_pb2,
    tasks_pb2,
    tasks_pb2_grpc,
)
from tests.unit.private_containerd import WITHIN, Private, private

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from moored.containerd.connection import Connection

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
        assert await anext(following) == StartSeen(run)
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
    await _pause_nothing(nobody.connection)
    assert await asyncio.wait_for(seen.get(), WITHIN) == PauseSeen("nothing")
    following.cancel()
    await asyncio.wait([following])
    await nobody.connection.close()


async def _pause_nothing(connection: Connection) -> None:
    """Publish an event that whoever follows gets after all that were published before."""
    packed = Any()
    event = task_events_pb2.TaskPaused(container_id="nothing")
    packed.type_url, packed.value = event.DESCRIPTOR.full_name, event.SerializeToString()
    request = events_pb2.PublishRequest(topic="/tasks/paused", event=packed)
    stub = events_pb2_grpc.EventsStub(connection.channel)
    await connection.unary(stub.Publish, request, "publish")


async def test_whoever_follows_is_told_when_containerd_dies(containerd: Private) -> None:
    events = Events(containerd.connection)
    seen: asyncio.Queue[Event] = asyncio.Queue()
    following = asyncio.create_task(_collect(events, seen))
    assert await seen.get() == Following()
    process = containerd.embedded.process()
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(errors.RuntimeUnreachable):
        await following
