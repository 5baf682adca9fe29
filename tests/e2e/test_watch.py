"""Watching a real moored: a life told in order, over restarts and kills, by hundreds at once."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import sys
import time
from contextlib import aclosing, asynccontextmanager, closing, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from moorage import Client, errors
from moorage.v1 import container_service_pb2 as wire
from moorage.v1.container_pb2 import CONTAINER_STATE_RUNNING, EXIT_ORIGIN_PROCESS, ContainerSpec
from moorage.v1.event_pb2 import EventKind
from tests.fakes.command import Command
from tests.real.specs import IMAGE, shell, sleeper

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from moorage.v1.event_pb2 import Event
    from tests.real.moored import Moored

pytestmark = pytest.mark.real

WITHIN = 60.0
WATCHERS = 100
CALLERS = 16
LONG = (pytest.mark.soak, pytest.mark.timeout(400))
PATIENCE = timedelta(seconds=30)
REFUSALS = (
    errors.ContainerNotFound,
    errors.ContainerPaused,
    errors.ContainerRemoving,
    errors.ContainerRunning,
    errors.ContainerStopping,
    errors.NameTaken,
    errors.PreemptedByCleanup,
    errors.StartQueueFull,
)
"""What callers who are in each other's way are told."""


def kinds(events: list[Event]) -> list[str]:
    return [EventKind.Name(event.kind).removeprefix("EVENT_KIND_") for event in events]


def written(moored: Moored) -> list[int]:
    """Return the revisions that the ledger's file has, read beside moored."""
    with closing(sqlite3.connect(f"file:{moored.root}/ledger.db?mode=ro", uri=True)) as ledger:
        rows = ledger.execute("SELECT revision FROM events ORDER BY revision").fetchall()
    return [revision for (revision,) in rows]


async def until_removed(items: AsyncGenerator[wire.WatchResponse, None]) -> list[Event]:
    """Return the events up to one that says REMOVED."""
    events: list[Event] = []
    async with asyncio.timeout(WITHIN):
        async for item in items:
            if item.HasField("event"):
                events.append(item.event)
                if kinds(events)[-1] == "REMOVED":
                    return events
    raise AssertionError("the stream ended")


@asynccontextmanager
async def begun(
    client: Client, **asked: Any
) -> AsyncIterator[AsyncGenerator[wire.WatchResponse, None]]:
    """A watch from now on, which has begun."""
    async with aclosing(client.watch(**asked)) as items:
        assert (await anext(items)).HasField("heartbeat")
        yield items


async def test_the_life_of_a_container_is_told_in_order(moored: Moored) -> None:
    wanted = wire.ContainerFilter(names=["told"])
    async with Client(moored.address) as client, begun(client, filter=wanted) as items:
        spec = shell("exit 3", name="told", labels={"tier": "front"})
        container = (await client.start(spec=spec)).container
        await client.wait_exited(container.id)
        await client.cleanup(container.id, remove=True)
        events = await until_removed(items)
    told = kinds(events)
    assert told[:4] == ["CREATED", "START_REQUESTED", "STARTED", "EXITED"]
    assert told[-1] == "REMOVED"
    assert set(told[4:-1]) == {"REMOVE_REQUESTED", "RESOURCES_RELEASED"}
    assert events == sorted(events, key=lambda event: event.revision)
    assert {event.container for event in events} == {container.id}
    assert {event.labels["tier"] for event in events} == {"front"}
    exits = [event.exit for event in events if event.HasField("exit")]
    assert [(exit.code, exit.origin) for exit in exits] == [(3, EXIT_ORIGIN_PROCESS)]


async def test_a_failed_start_is_told_with_why(moored: Moored) -> None:
    failing = ContainerSpec(image=IMAGE, command=["/no/such"], name="fails", auto_remove=True)
    async with Client(moored.address) as client, begun(client) as items:
        with pytest.raises(errors.CommandNotFound):
            await client.start(spec=failing)
        events = await until_removed(items)
    (error,) = (event.error for event in events if event.HasField("error"))
    assert (error.reason, error.retriable) == ("COMMAND_NOT_FOUND", False)


async def test_a_snapshot_shows_what_is_there_and_then_what_happens(moored: Moored) -> None:
    wanted = wire.ContainerFilter(names=["shown"])
    async with Client(moored.address) as client:
        container = (await client.start(spec=sleeper(name="shown"))).container
        async with aclosing(client.watch(snapshot=True, filter=wanted)) as items:
            shown, end = await anext(items), await anext(items)
            await client.cleanup(container.id, force=True, remove=True)
            events = await until_removed(items)
    assert shown.snapshot.id == container.id
    assert shown.snapshot.status.state == CONTAINER_STATE_RUNNING
    assert shown.snapshot.revision <= end.snapshot_end.revision < events[0].revision
    assert kinds(events)[:2] == ["STOP_REQUESTED", "EXITED"]


@pytest.mark.parametrize("ends", ["stopped", "killed"])
async def test_a_watch_goes_on_over_the_end_of_moored_without_gap_or_repeat(
    own_moored: Moored, ends: str
) -> None:
    async with Client(own_moored.address) as client, begun(client, patience=PATIENCE) as items:
        container = (await client.start(spec=sleeper(name="outlives"))).container
        before = written(own_moored)
        if ends == "stopped":
            await asyncio.to_thread(own_moored.stop)
        else:
            await asyncio.to_thread(own_moored.kill)
        await asyncio.to_thread(own_moored.start)
        await client.cleanup(container.id, force=True, remove=True, wait_for_ready=True)
        events = await until_removed(items)
    assert [event.revision for event in events] == written(own_moored)
    assert len(events) > len(before)


async def test_what_happened_while_nobody_watched_is_told_later(own_moored: Moored) -> None:
    async with Client(own_moored.address) as client:
        container = (await client.start(spec=sleeper())).container
        await client.cleanup(container.id, force=True, remove=True)
        await asyncio.to_thread(own_moored.restart)
        items = client.watch(since=0, wait_for_ready=True)
        async with aclosing(items):
            events = await until_removed(items)
    assert [event.revision for event in events] == written(own_moored)
    assert kinds(events)[0] == "CREATED"


async def test_a_moored_that_ends_does_not_wait_for_those_who_watch(own_moored: Moored) -> None:
    async with Client(own_moored.address) as client, begun(client) as items:
        own_moored.terminate()
        with pytest.raises(errors.ShuttingDown):
            await anext(items)
        assert await asyncio.to_thread(own_moored.await_end) == 0


async def test_the_command_prints_what_happens(own_moored: Moored) -> None:
    moorage = Command(own_moored.address)
    async with Client(own_moored.address) as client:
        container = (await client.start(spec=shell("exit 4", name="printed"))).container
        await client.wait_exited(container.id)
        printing = await moorage.begin("events", "--since", "0", "--filter", "name=printed")
        assert printing.stdout is not None
        async with asyncio.timeout(WITHIN):
            lines = [(await printing.stdout.readline()).decode() for _ in range(4)]
        printing.terminate()
        await printing.communicate()
        await client.cleanup(container.id, remove=True)
    assert [line.split()[0] for line in lines] == ["1", "2", "3", "4"]
    assert "(printed)" in lines[0]
    assert lines[3].rstrip().endswith("exited: 4")


@pytest.mark.parametrize("seconds", [6, pytest.param(120, marks=LONG)])
async def test_a_hundred_watchers_of_many_callers_see_every_change_once_and_in_order(
    own_moored: Moored, seconds: int
) -> None:
    seen: list[list[int]] = [[] for _ in range(WATCHERS)]
    async with Client(own_moored.address) as client:
        watching = [asyncio.create_task(_note(own_moored, one)) for one in seen]
        end = time.monotonic() + seconds
        async with asyncio.TaskGroup() as calling:
            for number in range(CALLERS):
                calling.create_task(_call(client, random.Random(number), end))
            measured = calling.create_task(_measured(own_moored, seconds))
        for number in range(CALLERS // 2):
            await _try(client.cleanup(f"many{number}", force=True, remove=True))
        await client.create(sleeper(name="last"))
        await client.cleanup("last", remove=True)
        async with asyncio.timeout(WITHIN):
            await asyncio.gather(*watching)
    truth = written(own_moored)
    print(f"{len(truth)} events in {seconds} s to {WATCHERS} watchers; {measured.result()}")
    assert all(revisions == truth for revisions in seen)


async def _note(moored: Moored, revisions: list[int]) -> None:
    """Write down what is told, from the first revision to the removal of "last"."""
    async with Client(moored.address) as client:
        async for item in client.watch(since=0):
            if item.HasField("event"):
                revisions.append(item.event.revision)
                if item.event.name == "last" and kinds([item.event]) == ["REMOVED"]:
                    return


async def _call(client: Client, dice: random.Random, end: float) -> None:
    while time.monotonic() < end:
        name = f"many{dice.randrange(CALLERS // 2)}"
        match dice.randrange(4):
            case 0:
                await _try(client.start(spec=sleeper(name=name)))
            case 1:
                await _try(client.start(name))
            case 2:
                await _try(client.stop(name, grace=timedelta()))
            case _:
                await _try(client.cleanup(name, force=True, remove=True))


async def _try(call: Any) -> None:
    with suppress(*REFUSALS):
        await call


async def _measured(moored: Moored, seconds: int) -> str:
    """Return how long reads took meanwhile, seen from another process."""
    measuring = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.real.latency", moored.address, str(seconds)),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await measuring.communicate()
    p50, p99 = out.decode().split()
    return f"reads p50 {p50} ms, p99 {p99} ms"
