"""Watching over a socket: who does not read is cut off, delays nobody, and can go on."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import grpc
import pytest

from moorage.v1 import container_service_pb2 as wire
from moorage.v1.event_pb2 import EVENT_KIND_STARTED
from moored.model.events import Renamed
from tests.faults.door import connected
from tests.faults.world import bring_image, opened, soon
from tests.real.wire import Refusal, refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.fakes.containerd import FakeContainerd
    from tests.faults.world import World
    from tests.real.wire import Wire

KEPT = 64
"""Events that this world keeps in memory, at least."""
LARGE = {f"large{number}": "x" * 4000 for number in range(8)}
WITHIN = 20.0


@pytest.fixture
async def world(home: Path, fake: FakeContainerd) -> AsyncIterator[World]:
    async with opened(home / "one", fake, event_retention=KEPT) as built:
        await bring_image(built)
        yield built


class Watching:
    """One stream, which its test reads or does not."""

    def __init__(self, wire_: Wire, request: wire.WatchRequest) -> None:
        self._call = wire_.containers.Watch(request, timeout=WITHIN)
        self._items = aiter(self._call)

    async def next(self) -> wire.WatchResponse:
        return await anext(self._items)

    async def to_its_end(self) -> tuple[list[int], Refusal]:
        """Return the revisions that come, and how the stream ends."""
        revisions: list[int] = []
        try:
            while True:
                revisions.append((await self.next()).event.revision)
        except grpc.aio.AioRpcError as error:
            return revisions, refusal(error)

    def cancel(self) -> None:
        self._call.cancel()


@asynccontextmanager
async def watching(wire_: Wire, **request: object) -> AsyncIterator[Watching]:
    stream = Watching(wire_, wire.WatchRequest(**request))  # type: ignore[arg-type]
    try:
        yield stream
    finally:
        stream.cancel()


async def change(world: World, times: int) -> None:
    """Let as much happen to a container."""
    async with world.house.registry.claim("web") as claim:
        for number in range(times):
            await claim.apply(Renamed(f"web{number}"))
        await claim.apply(Renamed("web"))


async def test_a_watch_from_now_on_tells_what_happens_once_it_has_begun(world: World) -> None:
    async with connected(world) as wire_, watching(wire_) as stream:
        began = (await stream.next()).heartbeat.revision
        await world.start(name="web")
        items = [await stream.next() for _ in range(3)]
    assert [item.event.revision for item in items] == [began + 1, began + 2, began + 3]
    assert items[-1].event.kind == EVENT_KIND_STARTED


async def test_a_reader_that_does_not_read_delays_nobody_is_cut_off_and_can_go_on(
    world: World,
) -> None:
    await world.start(name="web", labels=LARGE)
    async with connected(world) as wire_, watching(wire_) as stream:
        began = (await stream.next()).heartbeat.revision
        await soon(change(world, 10 * KEPT))
        seen, refused = await soon(stream.to_its_end())
        assert (refused.code, refused.reason) == (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "WATCHER_TOO_SLOW",
        )
        assert seen == list(range(began + 1, int(refused.metadata["revision"]) + 1))
        assert len(seen) < 10 * KEPT


async def test_a_watch_that_is_cut_short_while_it_writes_ends_its_span(world: World) -> None:
    await world.start(name="web", labels=LARGE)
    async with connected(world) as wire_, watching(wire_) as stream:
        await stream.next()
        await soon(change(world, KEPT))
    assert [span for span in world.spans if "Watch" in span[0]] == [
        ("moorage.v1.ContainerService/Watch", "ERROR")
    ]


async def test_what_is_not_kept_any_more_is_refused_with_the_oldest_that_is(
    world: World,
) -> None:
    await world.start(name="web")
    await soon(change(world, 10 * KEPT))
    async with connected(world) as wire_:
        async with watching(wire_, since_revision=1) as stream:
            seen, refused = await soon(stream.to_its_end())
        assert (seen, refused.code, refused.reason) == (
            [],
            grpc.StatusCode.OUT_OF_RANGE,
            "REVISION_GONE",
        )
        oldest = int(refused.metadata["oldest"])
        async with watching(wire_, since_revision=oldest - 1) as stream:
            assert (await stream.next()).event.revision == oldest


async def test_a_server_that_ends_says_so_to_those_who_watch(world: World) -> None:
    async with connected(world) as wire_, watching(wire_) as stream:
        await stream.next()
        ending = asyncio.create_task(stream.to_its_end())
        world.house.feed.close()
        seen, refused = await soon(ending)
    assert (seen, refused.reason) == ([], "SHUTTING_DOWN")
