"""Whoever watches sees what the ledger has, in its order: no gap, no repeat, no step back."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import aclosing, closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from moorage.v1 import container_service_pb2 as wire
from moored import errors
from moored.api.pictures import Pictures
from moored.api.watch import WatchDesk
from moored.model.state import Exited
from tests.faults.world import copied, soon

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from tests.faults.world import World

WATCHERS = 100
WORKERS = 8
ROUNDS = 4


@dataclass
class Witness:
    """One who watches, and what it saw."""

    request: wire.WatchRequest
    began: int | None = None
    """The revision after which it sees all."""
    shown: dict[str, int] = field(default_factory=dict)
    """The containers of its snapshot, and their revisions."""
    seen: list[int] = field(default_factory=list)

    async def watch(self, world: World, until: asyncio.Future[int]) -> None:
        """See all up to the revision that ``until`` will have."""
        async with aclosing(watch(world, self.request)) as items:
            async for item in items:
                stands = self._note(item)
                if until.done() and stands >= until.result():
                    return

    def _note(self, item: wire.WatchResponse) -> int:
        match item.WhichOneof("item"):
            case "snapshot":
                self.shown[item.snapshot.id] = item.snapshot.revision
                return 0
            case "snapshot_end":
                self.began = item.snapshot_end.revision
                return self.began
            case "heartbeat":
                if self.began is None:
                    self.began = item.heartbeat.revision
                return item.heartbeat.revision
            case _:
                self.seen.append(item.event.revision)
                return item.event.revision


async def watch(
    world: World, request: wire.WatchRequest
) -> AsyncGenerator[wire.WatchResponse, None]:
    house = world.house
    desk = WatchDesk(directory=house.registry, feed=house.feed, pictures=Pictures(), heartbeat=0.05)
    async for answer in desk.watch(request):
        whole = answer if isinstance(answer, bytes) else answer.SerializeToString()
        yield wire.WatchResponse.FromString(whole)


def written(world: World, where: str = "true", *values: Any) -> list[int]:
    """Return the revisions that the ledger has."""
    with closing(sqlite3.connect(world.home / "root" / "ledger.db")) as database:
        rows = database.execute(
            f"SELECT revision FROM events WHERE {where} ORDER BY revision", values
        ).fetchall()
    return [revision for (revision,) in rows]


async def live(world: World, worker: int) -> None:
    """Let a container live and go, some times."""
    for number in range(ROUNDS):
        started = await world.start(name=f"w{worker}", labels={"worker": str(worker)})
        if number % 2:
            world.fake.exit(f"{started.id}.1", number)
            await world.until(started.id, lambda view: isinstance(view.snapshot.state, Exited))
        await soon(world.verbs.cleaner.cleanup(started.id, force=True, and_remove=True))


def witness(number: int) -> Witness:
    match number % 4:
        case 0:
            return Witness(wire.WatchRequest())
        case 1:
            return Witness(wire.WatchRequest(since_revision=0), began=0)
        case 2:
            return Witness(wire.WatchRequest(snapshot=True))
        case _:
            wanted = wire.ContainerFilter(labels=[f"worker={number % WORKERS}"])
            return Witness(wire.WatchRequest(snapshot=True, filter=wanted))


async def test_a_hundred_watchers_under_load_see_every_change_once_and_in_order(
    world: World,
) -> None:
    await world.start(name="before", labels={"worker": "3"})
    end: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    witnesses = [witness(number) for number in range(WATCHERS)]
    async with asyncio.timeout(60), asyncio.TaskGroup() as watching:
        for one in witnesses[: WATCHERS // 2]:
            watching.create_task(one.watch(world, end))
        async with asyncio.TaskGroup() as working:
            for worker in range(WORKERS):
                working.create_task(live(world, worker))
            for one in witnesses[WATCHERS // 2 :]:  # in the midst of it
                await asyncio.sleep(0)
                watching.create_task(one.watch(world, end))
        end.set_result(world.house.feed.revision)
    for one in witnesses:
        began = one.began
        assert began is not None
        expected = [revision for revision in written(world) if revision > began]
        if one.request.filter.labels:
            fits = "revision > ? AND json_extract(told, '$.labels.worker') = ?"
            label = one.request.filter.labels[0].partition("=")[2]
            expected = written(world, fits, began, label)
        assert one.seen == expected
        assert all(revision <= began for revision in one.shown.values())


async def test_what_happened_before_a_kill_is_told_after_it_and_then_what_comes(
    world: World, home: Path
) -> None:
    await world.start(name="web")
    stood = world.house.feed.revision
    started = await world.start(name="db")
    before = written(world)
    async with copied(world, home / "two") as other:
        await other.house.keepers.recovery.run()
        await soon(other.house.verbs.cleaner.cleanup("db", force=True, and_remove=True))
        last = other.house.feed.revision
        assert last > before[-1]
        seen: list[wire.WatchResponse] = []
        async with (
            asyncio.timeout(20),
            aclosing(watch(other, wire.WatchRequest(since_revision=stood))) as items,
        ):
            async for item in items:
                seen.append(item)
                if item.event.revision == last:
                    break
        assert [item.event.revision for item in seen] == [r for r in written(other) if r > stood]
        assert {item.event.container for item in seen} == {started.id}


async def test_a_watcher_of_a_ledger_that_is_gone_is_told_so(world: World) -> None:
    await world.start(name="web")
    ahead = world.house.feed.revision + 1
    with pytest.raises(errors.RevisionGone):
        await anext(watch(world, wire.WatchRequest(since_revision=ahead)))


async def test_the_events_of_a_life_are_the_pictures_that_were_published(world: World) -> None:
    """What an event says of the state is what Inspect said at its revision."""
    pictures: dict[int, str] = {}
    started = await world.start(name="web")
    subject = world.house.registry.find(started.id)

    async def note() -> None:
        view = subject.view
        while not view.gone:
            pictures[view.snapshot.revision] = type(view.snapshot.state).__name__
            await view.superseded()
            view = subject.view

    noting = asyncio.create_task(note())
    world.fake.exit(f"{started.id}.1", 1)
    await world.until("web", lambda view: isinstance(view.snapshot.state, Exited))
    await soon(world.verbs.cleaner.cleanup("web", force=True, and_remove=True))
    await soon(noting)
    past = await world.house.feed.older(0)
    told = {tiding.revision: tiding.state for tiding in past}
    assert pictures.items() <= told.items()
