"""Health: probes what runs and has a check, and puts on record what changes by it.

Laws: a probe holds no claim, and nobody waits for one; nothing is probed while it is paused,
stopped, or over, and a probe that is under way then is cut short. A change of the state is
committed like any change, and every other result is kept in memory: of writes there are at most
as many as state changes. One container has one timer or one probe, and no task in between.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Protocol

from loguru import logger

from moored import errors
from moored.model import health as rules
from moored.model.events import HealthChanged
from moored.model.health import MOST_RESULTS, Checkup, Health, Readings, Result
from moored.model.spec import checkup_of
from moored.model.state import Running

if TYPE_CHECKING:
    from datetime import datetime

    from moored.directory import Subject
    from moored.feed import Feed
    from moored.model.identity import ContainerId
    from moored.model.state import Snapshot
    from moored.probes.finding import Finding
    from moored.registry import Registry
    from moored.saga import Clock
    from moored.telemetry.measures import Measures

_PATIENCE: Final = 3600.0
"""Seconds until it looks up though nothing happened."""


class Prober(Protocol):
    async def probe(self, snapshot: Snapshot, check: Checkup) -> Finding:
        """Look at a run once, within the check's own time."""
        ...


@dataclass(eq=False)
class Post:
    """One run that is probed: when next, or how now."""

    subject: Subject
    run: int
    check: Checkup
    health: Health
    """What follows from all results of this run."""
    timer: asyncio.TimerHandle | None = None
    probe: asyncio.Task[None] | None = None

    def leave(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
        if self.probe is not None:
            self.probe.cancel()


@dataclass(kw_only=True)
class HealthMonitor:
    registry: Registry
    feed: Feed
    prober: Prober
    measures: Measures
    clock: Clock
    _posts: dict[ContainerId, Post] = field(default_factory=dict)
    _ending: set[asyncio.Task[None]] = field(default_factory=set)
    """Probes under way or being cut short, until they have ended."""

    async def run(self) -> None:
        """Read along until the feed closes, and probe what runs meanwhile."""
        try:
            while True:
                reader = self.feed.reader()
                for snapshot in self.registry.all():
                    self._look(snapshot.id)
                try:
                    while True:
                        for tiding in await reader.next(_PATIENCE):
                            self._look(tiding.container)
                except errors.WatcherTooSlow:  # begin anew, with what there is
                    continue
                except errors.ShuttingDown:
                    return
        finally:
            await self._close()

    async def _close(self) -> None:
        for container in list(self._posts):
            self._leave(container)
        if self._ending:
            await asyncio.wait(self._ending)

    def _look(self, container: ContainerId) -> None:
        """Begin to probe, or end it, as the container's state asks for."""
        subject = self.registry.find(container) if self.registry.knows(container) else None
        post = self._posts.get(container)
        if post is not None and not (subject and _is_due(subject.view.snapshot, post.run)):
            self._leave(container)
            post = None
        if post is None and subject is not None:
            self._begin(subject)

    def _begin(self, subject: Subject) -> None:
        snapshot = subject.view.snapshot
        check = checkup_of(snapshot.spec, snapshot.image)
        if check is None or not _is_due(snapshot, snapshot.run):
            return
        post = Post(subject, snapshot.run, check, _so_far(subject))
        self._posts[snapshot.id] = post
        self._wait(post)

    def _leave(self, container: ContainerId) -> None:
        self._posts.pop(container).leave()

    def _wait(self, post: Post) -> None:
        running_for = self.clock.now() - _started(post.subject.view.snapshot)
        wait = rules.wait(post.check, post.health, running_for).total_seconds()
        post.timer = asyncio.get_running_loop().call_later(wait, self._probe, post)

    def _probe(self, post: Post) -> None:
        name = f"probe {post.subject.view.snapshot.id}"
        post.timer = None
        post.probe = task = asyncio.create_task(self._examine(post), name=name)
        self._ending.add(task)
        task.add_done_callback(lambda done: self._done(post, done))

    def _done(self, post: Post, done: asyncio.Task[None]) -> None:
        self._ending.discard(done)
        post.probe = None
        if done.cancelled():
            return
        if error := done.exception():
            logger.opt(exception=error).error("{} failed: {}", done.get_name(), error)
        if self._posts.get(post.subject.view.snapshot.id) is post:
            self._wait(post)

    async def _examine(self, post: Post) -> None:
        """Probe once, unless it is not known yet what became of the container meanwhile."""
        if not post.subject.recovered.is_set():
            return
        snapshot = post.subject.view.snapshot
        result = await self._result(snapshot, post.check)
        took = (result.ended - result.began).total_seconds()
        kind = type(post.check.probe).__name__.removesuffix("Probe").lower()
        self.measures.probe(kind, result.outcome, took)
        post.health = rules.judge(
            post.check, post.health, result, started=_started(post.subject.view.snapshot)
        )
        known = post.subject.view.readings
        results = (*(known.results if known else _committed(snapshot)), result)[-MOST_RESULTS:]
        post.subject.note(Readings(post.run, post.health.failures, results))
        await self._record(post)

    async def _result(self, snapshot: Snapshot, check: Checkup) -> Result:
        began = self.clock.now()
        found = await self.prober.probe(snapshot, check)
        return Result(began, self.clock.now(), found.outcome, found.output, found.exit_code)

    async def _record(self, post: Post) -> None:
        """Commit what has changed. What cannot be committed is tried with the next result."""
        container, health = post.subject.view.snapshot.id, post.health
        if post.subject.view.snapshot.health.state is health.state:
            return
        try:
            async with self.registry.claim(container) as claim:
                now = claim.snapshot
                if _is_due(now, post.run) and now.health.state is not health.state:
                    await claim.apply(HealthChanged(post.run, health))
                    logger.bind(container=container, run=post.run).info("is {}", health.state)
        except errors.MooredError as error:
            logger.warning("cannot record that {} is {}: {}", container, health.state, error)


def _is_due(snapshot: Snapshot, run: int) -> bool:
    return isinstance(snapshot.state, Running) and snapshot.run == run


def _started(snapshot: Snapshot) -> datetime:
    return snapshot.started or snapshot.created


def _committed(snapshot: Snapshot) -> tuple[Result, ...]:
    return (snapshot.health.last,) if snapshot.health.last else ()


def _so_far(subject: Subject) -> Health:
    """Return what is known of a run: what is on record, and the failures since."""
    health, readings = subject.view.snapshot.health, subject.view.readings
    return replace(health, failures=readings.failures) if readings else health
