"""The monitor: it probes what runs, holds no claim, and commits what changes and nothing else."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from moored.feed import Feed
from moored.keepers.health import HealthMonitor
from moored.model.events import HealthChanged, Paused, Resumed, TaskExited
from moored.model.exits import of_process
from moored.model.health import (
    MOST_RESULTS,
    Health,
    HealthCheck,
    HealthState,
    Outcome,
    TcpProbe,
)
from moored.model.state import Running, Snapshot
from moored.probes.finding import Finding
from moored.registry import Registry
from tests.fakes.measures import UNMEASURED
from tests.unit.samples import AT, Journal, now, snapshot

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from moored.directory import View
    from moored.model.health import Checkup

WITHIN = 20.0
SHORTEST = timedelta(milliseconds=100)
CHECK = HealthCheck(tcp=TcpProbe(80), interval=SHORTEST, retries=2)


@dataclass
class Script:
    """A prober whose findings a test gives, one by one."""

    findings: asyncio.Queue[Finding] = field(default_factory=asyncio.Queue)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    cut: asyncio.Event = field(default_factory=asyncio.Event)

    async def probe(self, snapshot: Snapshot, check: Checkup) -> Finding:
        self.asked.set()
        try:
            return await self.findings.get()
        except asyncio.CancelledError:
            self.cut.set()
            raise

    def tell(self, *outcomes: Outcome) -> None:
        for outcome in outcomes:
            self.findings.put_nowait(Finding(outcome))


@dataclass
class Stage:
    registry: Registry
    journal: Journal
    script: Script

    @property
    def view(self) -> View:
        return self.registry.peek(ONE.id)

    async def until(self, met: object) -> View:
        async with asyncio.timeout(WITHIN):
            return await self.registry.find(ONE.id).until(met)  # type: ignore[arg-type]

    async def apply(self, *events: object) -> None:
        async with self.registry.claim(ONE.id) as claim:
            await claim.apply(*events)  # type: ignore[arg-type]


ONE = replace(
    snapshot(1),
    spec=replace(snapshot(1).spec, health_check=CHECK),
    state=Running(1, 1, AT),
    run=1,
    started=AT,
    health=Health(HealthState.STARTING, since=AT),
)


class Clock:
    def now(self) -> object:
        return now()

    def seconds(self) -> float:
        return 0.0


@asynccontextmanager
async def monitored(known: Snapshot = ONE) -> AsyncIterator[Stage]:
    journal, script = Journal(), Script()
    feed = Feed(journal)
    registry = Registry(journal, now=now, feed=feed, known=[known])
    registry.find(known.id).recovered.set()
    monitor = HealthMonitor(
        registry=registry,
        feed=feed,
        prober=script,
        measures=UNMEASURED,
        clock=Clock(),  # type: ignore[arg-type]
    )
    running = asyncio.create_task(monitor.run())
    try:
        yield Stage(registry, journal, script)
    finally:
        running.cancel()
        await asyncio.wait([running])


def is_(state: HealthState) -> object:
    return lambda view: view.snapshot.health.state is state


def results(number: int) -> object:
    return lambda view: view.readings and len(view.readings.results) == number


async def test_what_changes_the_state_is_committed_and_nothing_else() -> None:
    async with monitored() as stage:
        stage.script.tell(*4 * [Outcome.SUCCEEDED])
        view = await stage.until(results(4))
        assert len(stage.journal.changes) == 1
        assert view.snapshot.revision == 1
        assert view.snapshot.health.state is HealthState.HEALTHY
        stage.script.tell(Outcome.FAILED)
        view = await stage.until(results(5))
        assert view.readings is not None
        assert view.readings.failures == 1
        assert len(stage.journal.changes) == 1
        stage.script.tell(Outcome.TIMED_OUT)
        await stage.until(is_(HealthState.UNHEALTHY))
        assert len(stage.journal.changes) == 2


async def test_of_results_the_last_ones_are_kept() -> None:
    async with monitored() as stage:
        stage.script.tell(*(MOST_RESULTS + 2) * [Outcome.UNDECIDED], Outcome.SUCCEEDED)
        view = await stage.until(is_(HealthState.HEALTHY))
        assert view.readings is not None
        outcomes = [result.outcome for result in view.readings.results]
        assert outcomes == [*(MOST_RESULTS - 1) * [Outcome.UNDECIDED], Outcome.SUCCEEDED]


async def test_a_probe_holds_no_claim_and_an_exit_cuts_it_short() -> None:
    async with monitored() as stage:
        await asyncio.wait_for(stage.script.asked.wait(), WITHIN)
        await stage.apply(TaskExited(1, of_process(0, AT)))
        await asyncio.wait_for(stage.script.cut.wait(), WITHIN)
        assert stage.view.snapshot.health.state is HealthState.STARTING


async def test_what_is_paused_is_not_probed_and_once_it_is_resumed_it_is() -> None:
    async with monitored() as stage:
        await asyncio.wait_for(stage.script.asked.wait(), WITHIN)
        await stage.apply(Paused(AT))
        await asyncio.wait_for(stage.script.cut.wait(), WITHIN)
        stage.script.asked.clear()
        await stage.apply(Resumed(AT))
        await asyncio.wait_for(stage.script.asked.wait(), WITHIN)


async def test_a_change_that_cannot_be_committed_is_tried_again() -> None:
    async with monitored() as stage:
        stage.journal.fails = True
        stage.script.tell(Outcome.SUCCEEDED)
        await stage.until(results(1))
        assert stage.view.snapshot.health.state is HealthState.STARTING
        stage.journal.fails = False
        stage.script.tell(Outcome.SUCCEEDED)
        await stage.until(is_(HealthState.HEALTHY))


async def test_a_server_that_comes_back_goes_on_with_what_is_on_record() -> None:
    known = replace(ONE, health=Health(HealthState.HEALTHY, since=AT))
    async with monitored(known) as stage:
        stage.script.tell(Outcome.FAILED)
        view = await stage.until(results(1))
        assert view.snapshot.health.state is HealthState.HEALTHY
        assert stage.journal.changes == []


async def test_a_change_is_an_event_of_the_run() -> None:
    async with monitored() as stage:
        stage.script.tell(Outcome.SUCCEEDED)
        await stage.until(is_(HealthState.HEALTHY))
        (change,) = stage.journal.changes
        (told,) = change.happenings  # type: ignore[union-attr]
        assert (told.kind, told.tiding.run) == (HealthChanged.__name__, 1)
        assert told.tiding.health == HealthState.HEALTHY
