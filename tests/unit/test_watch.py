"""Watch on the wire: a snapshot, what happened after it, heartbeats; only what fits."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, get_args

import pytest

from moorage.v1 import container_pb2, event_pb2
from moorage.v1 import container_service_pb2 as wire
from moored import errors
from moored.api import events
from moored.api.pictures import Pictures
from moored.api.watch import WatchDesk
from moored.feed import Feed
from moored.model import tidings
from moored.model.events import (
    Event,
    RemoveRequested,
    RestartScheduled,
    Started,
    StartFailure,
    StartRequested,
    StartUndone,
    TaskExited,
)
from moored.model.exits import Exit, Origin
from moored.model.intent import Action, Intent
from moored.registry import Registry
from tests.unit.samples import AT, Journal, now, snapshot

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from moored.model.state import Snapshot

EXIT = Exit(3, Origin.PROCESS, AT)
START = StartRequested(1, (), Intent(Action.RUN), AT)
STARTED = Started(7, 70, AT, None)


class Watched:
    """A registry and a desk for those who watch it."""

    def __init__(self, *known: Snapshot, heartbeat: float = 60, keep: int = 100) -> None:
        journal = Journal()
        revision = max((container.revision for container in known), default=0)
        self.feed = Feed(journal, revision=revision, keep=keep)
        self.registry = Registry(journal, now=now, feed=self.feed, known=known)
        self.desk = WatchDesk(
            directory=self.registry, feed=self.feed, pictures=Pictures(), heartbeat=heartbeat
        )

    async def let(self, container: Snapshot, *events: Event) -> None:
        async with self.registry.claim(container.id) as claim:
            await claim.apply(*events)

    async def create(self, container: Snapshot) -> None:
        async with self.registry.enrol(container) as claim:
            await claim.apply()

    async def watch(self, **request: Any) -> AsyncGenerator[wire.WatchResponse, None]:
        async for answer in self.desk.watch(wire.WatchRequest(**request)):
            whole = answer if isinstance(answer, bytes) else answer.SerializeToString()
            yield wire.WatchResponse.FromString(whole)

    async def first(self, number: int, **request: Any) -> list[wire.WatchResponse]:
        """Return the first answers of a watch."""
        async with asyncio.timeout(5), aclosing(self.watch(**request)) as answers:
            return [await anext(answers) for _ in range(number)]


def known(number: int, name: str = "", *, revision: int = 1, **labels: str) -> Snapshot:
    container = snapshot(number, name)
    spec = replace(container.spec, labels=labels)
    return replace(container, spec=spec, revision=revision)


def test_every_event_of_the_model_has_its_kind_on_the_wire_and_the_other_way_round() -> None:
    named = {kind.__name__ for kind in get_args(Event)} | {tidings.CREATED, tidings.REMOVED}
    assert set(events.KINDS) == named
    assert set(events.KINDS.values()) == set(event_pb2.EventKind.values()) - {0}


async def test_a_watch_from_now_on_begins_with_where_it_can_be_resumed() -> None:
    watched = Watched(known(1, revision=7))
    (beat,) = await watched.first(1)
    assert beat == wire.WatchResponse(heartbeat=wire.WatchResponse.Heartbeat(revision=7))


async def test_a_snapshot_is_followed_by_all_that_happened_after_it() -> None:
    one, two = known(1, "one", revision=3), known(2, "two", revision=4)
    watched = Watched(one, two)
    async with aclosing(watched.watch(snapshot=True)) as answers:
        first = await anext(answers)
        await watched.let(one, START)  # while it is still being sent
        rest = [await anext(answers) for _ in range(3)]
    assert first.snapshot.id == one.id
    assert first.snapshot.status.state == container_pb2.CONTAINER_STATE_CREATED
    assert [item.WhichOneof("item") for item in rest] == ["snapshot", "snapshot_end", "event"]
    assert rest[1].snapshot_end.revision == 4
    assert (rest[2].event.revision, rest[2].event.container) == (5, one.id)


async def test_events_tell_what_the_container_was_after_them() -> None:
    watched = Watched()
    container = known(1, "web", revision=0, tier="front")
    await watched.create(container)
    await watched.let(container, START, STARTED, TaskExited(1, EXIT))
    await watched.let(container, RestartScheduled(AT + timedelta(seconds=1), 2))
    await watched.let(container, RemoveRequested(Intent(Action.REMOVE), AT))
    async with watched.registry.claim("web") as claim:
        await claim.remove()
    told = [item.event for item in await watched.first(7, since_revision=0)]
    assert [event.revision for event in told] == list(range(1, 8))
    assert [event_pb2.EventKind.Name(event.kind)[11:] for event in told] == [
        *("CREATED", "START_REQUESTED", "STARTED", "EXITED"),
        *("RESTART_SCHEDULED", "REMOVE_REQUESTED", "REMOVED"),
    ]
    assert [container_pb2.ContainerState.Name(event.state)[16:] for event in told] == [
        *("CREATED", "STARTING", "RUNNING", "EXITED", "RESTARTING", "REMOVING", "REMOVING"),
    ]
    assert {event.name for event in told} == {"web"}
    assert {event.labels["tier"] for event in told} == {"front"}
    assert {event.image for event in told} == {"docker.io/library/busybox:latest"}
    assert [event.run for event in told] == [0, 1, 1, 1, 1, 1, 1]
    assert [event.exit.code for event in told if event.HasField("exit")] == [3]
    assert [event.restart.attempt for event in told if event.HasField("restart")] == [2]
    assert not any(event.HasField("error") for event in told)


async def test_a_failed_start_is_told_with_its_error() -> None:
    watched = Watched(known(1))
    failure = StartFailure("COMMAND_NOT_FOUND", "cannot", "rootfs", retriable=False, at=AT)
    await watched.let(known(1), START, StartUndone(EXIT, failure, (), None))
    _, undone = await watched.first(2, since_revision=1)
    assert undone.event.kind == event_pb2.EVENT_KIND_START_FAILED
    assert undone.event.error.reason == "COMMAND_NOT_FOUND"


@pytest.mark.parametrize(
    "wanted",
    [
        wire.ContainerFilter(names=["web"]),
        wire.ContainerFilter(labels=["tier"]),
        wire.ContainerFilter(labels=["tier=front"]),
        wire.ContainerFilter(labels=["tier=front"], names=["db", "web"]),
    ],
    ids=str,
)
async def test_only_what_fits_the_filter_is_told(wanted: wire.ContainerFilter) -> None:
    web, database = known(1, "web", tier="front"), known(2, "db")
    watched = Watched(web, database)
    await watched.let(database, START)
    await watched.let(web, START)
    await watched.let(database, STARTED)
    await watched.let(web, STARTED)
    told = await watched.first(2, since_revision=1, filter=wanted)
    assert [item.event.revision for item in told] == [3, 5]
    shown, end = await watched.first(2, snapshot=True, filter=wanted)
    assert shown.snapshot.name == "web"
    assert end.snapshot_end.revision == 5


async def test_states_and_images_pick_events_by_what_was_after_them() -> None:
    watched = Watched(known(1))
    await watched.let(known(1), START, STARTED, TaskExited(1, EXIT))
    running = wire.ContainerFilter(states=[container_pb2.CONTAINER_STATE_RUNNING])
    (told,) = await watched.first(1, since_revision=1, filter=running)
    assert told.event.kind == event_pb2.EVENT_KIND_STARTED
    image = wire.ContainerFilter(images=["busybox"])
    assert len(await watched.first(3, since_revision=1, filter=image)) == 3


async def test_a_quiet_stream_has_heartbeats_to_resume_from() -> None:
    watched = Watched(known(1), heartbeat=0.01)
    other = wire.ContainerFilter(names=["nobody"])
    async with asyncio.timeout(5), aclosing(watched.watch(filter=other)) as answers:
        await anext(answers)
        await watched.let(known(1), START)
        beats = [(await anext(answers)).heartbeat.revision for _ in range(3)]
    assert beats[-1] == 2


async def test_a_stream_that_others_keep_busy_has_heartbeats_too() -> None:
    watched = Watched(known(1), heartbeat=0)
    other = wire.ContainerFilter(names=["nobody"])
    await watched.let(known(1), START, STARTED)
    (beat,) = await watched.first(1, since_revision=1, filter=other)
    assert beat.heartbeat.revision == 3


async def test_a_reader_that_stands_still_is_cut_off_with_where_it_stood() -> None:
    watched = Watched(known(1), keep=2)
    async with asyncio.timeout(5), aclosing(watched.watch()) as answers:
        await anext(answers)
        await watched.let(known(1), START)
        last = await anext(answers)
        for run in range(1, 5):
            await watched.let(known(1), STARTED, TaskExited(run, EXIT), _again(run + 1))
        with pytest.raises(errors.WatcherTooSlow) as caught:
            await anext(answers)
    stood = int(caught.value.facts["revision"])
    assert stood == last.event.revision
    rest = await watched.first(12, since_revision=stood)
    assert [item.event.revision for item in rest] == list(range(stood + 1, stood + 13))


async def test_a_snapshot_of_a_revision_is_refused() -> None:
    with pytest.raises(errors.InvalidField) as caught:
        await Watched().first(1, snapshot=True, since_revision=0)
    assert [violation.field for violation in caught.value.violations] == ["snapshot"]


async def test_a_revision_in_the_filter_is_refused() -> None:
    with pytest.raises(errors.InvalidField) as caught:
        await Watched().first(1, filter=wire.ContainerFilter(since_revision=1))
    assert [violation.field for violation in caught.value.violations] == ["filter.since_revision"]


def _again(run: int) -> StartRequested:
    return replace(START, run=run)
