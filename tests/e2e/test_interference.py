"""What somebody else does to a task of ours is observed, and told with a warning event."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from moorage import Client
from moorage.v1.container_pb2 import CONTAINER_STATE_EXITED, CONTAINER_STATE_PAUSED
from moorage.v1.event_pb2 import EVENT_KIND_INTERFERED, EVENT_KIND_REMOVED
from tests.outside import containerd as seen
from tests.real.specs import shell, sleeper

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from moorage.v1 import container_service_pb2 as wire
    from moorage.v1.event_pb2 import Event
    from tests.real.moored import Moored
    from tests.real.site import Site

pytestmark = pytest.mark.real

WITHIN = 60.0
IMAGE = "docker.io/library/busybox:latest"


@asynccontextmanager
async def watching(client: Client) -> AsyncIterator[AsyncGenerator[wire.WatchResponse, None]]:
    async with aclosing(client.watch()) as items:
        assert (await anext(items)).HasField("heartbeat")
        yield items


async def warning(items: AsyncGenerator[wire.WatchResponse, None]) -> Event:
    async with asyncio.timeout(WITHIN):
        async for item in items:
            if item.event.kind == EVENT_KIND_INTERFERED:
                return item.event
    raise AssertionError("the stream ended")


async def test_s40_paused_by_somebody_else_is_shown_and_told(site: Site, moored: Moored) -> None:
    async with Client(moored.address) as client, watching(client) as items:
        container = (await client.start(spec=sleeper())).container
        run = f"{container.id}.1"
        seen.ctr(site.containerd.address, moored.instance, "tasks", "pause", run)
        event = await warning(items)
        await client.resume(container.id)
        await client.cleanup(container.id, force=True, remove=True)
    assert (event.container, event.run, event.message) == (container.id, 1, "it was paused")
    assert event.state == CONTAINER_STATE_PAUSED


async def test_s40_started_under_the_name_of_a_run_that_ended_is_told(
    site: Site, moored: Moored
) -> None:
    address = site.containerd.address
    async with Client(moored.address) as client, watching(client) as items:
        container = (await client.start(spec=shell("exit 3"))).container
        await client.wait_exited(container.id)
        await client.cleanup(container.id)
        run = f"{container.id}.1"
        words = ("run", "--detach", "--null-io", IMAGE, run, "/bin/sleep", "1000")
        seen.ctr(address, moored.instance, *words)
        event = await warning(items)
        after = (await client.inspect(container.id)).container
        seen.ctr(address, moored.instance, "tasks", "rm", "--force", run)
        seen.ctr(address, moored.instance, "containers", "rm", run)
        await client.cleanup(container.id, remove=True)
    assert (event.container, event.message) == (container.id, f"a task {run} was started")
    assert after.status.state == CONTAINER_STATE_EXITED
    assert after.status.exit.code == 3


async def test_s40_nothing_that_we_do_ourselves_is_taken_for_somebody_elses(
    moored: Moored,
) -> None:
    kinds: list[int] = []
    async with Client(moored.address) as client, watching(client) as items:
        container = (await client.start(spec=sleeper(name="quiet"))).container
        await client.pause(container.id)
        await client.resume(container.id)
        await client.stop(container.id, grace=timedelta())
        await client.start(container.id)
        await client.cleanup(container.id, force=True, remove=True)
        last = (await client.start(spec=shell("exit 0", auto_remove=True))).container
        async with asyncio.timeout(WITHIN):
            async for item in items:
                kinds.append(item.event.kind)
                if item.event.container == last.id and item.event.kind == EVENT_KIND_REMOVED:
                    break
    assert kinds.count(EVENT_KIND_INTERFERED) == 0
