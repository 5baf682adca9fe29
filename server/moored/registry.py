"""Who may change a container: the only locks.

Laws: one claim per container; ``claim.apply`` is the only assignment and goes advance,
commit, publish, wake, in that order; readers never wait; a claim is dropped with its
container; nothing under a claim takes another one.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from moored import errors
from moored.directory import Directory, Subject, unknown
from moored.ledger.changes import Change, Drop, Happening, Put
from moored.ledger.records import write_event
from moored.model import tidings
from moored.model.events import Renamed
from moored.model.identity import RunId, run_id
from moored.model.intent import Action
from moored.model.rest import at_rest
from moored.model.state import Removing, Snapshot, advance
from moored.telemetry.concern import about
from moored.uninterrupted import uninterrupted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from moored.feed import Feed
    from moored.model.events import Event
    from moored.model.requests import Request
    from moored.model.timeline import Stage, Timeline


class Journal(Protocol):
    """The part of the ledger that the registry writes to."""

    async def commit(self, change: Change) -> None: ...


class Claim:
    """The exclusive right to change one container, as long as it is held."""

    def __init__(self, registry: Registry, subject: Subject, snapshot: Snapshot) -> None:
        self._registry = registry
        self.subject: Final = subject
        self.snapshot = snapshot

    @property
    def preempted(self) -> bool:
        """Whether somebody wants this container gone, and waits for this claim."""
        return self.subject.cleaners > 0

    @property
    def restarting(self) -> bool:
        """Whether the end of this run is only the middle of a restart that somebody asked for."""
        return self.subject.restarters > 0 and self.snapshot.intent.action is Action.RUN

    @property
    def run_id(self) -> RunId:
        """The current run's name in containerd."""
        return run_id(self.snapshot.id, self.snapshot.run)

    def show(self, stage: Stage | None) -> None:
        """Publish where a verb stands. Not a change: no revision, no commit."""
        if not self.subject.view.gone and self._registry.knows(self.snapshot.id):
            self.subject.publish(self.snapshot, stage)

    async def apply(self, *events: Event, request: Request | None = None) -> Snapshot:
        """Let ``events`` happen, all or none: they have once this returns.

        A ``request`` is put on record with them: a retry of it finds this container.
        """
        return await uninterrupted(self._registry.apply(self, events, request))

    async def rename(self, name: str) -> Snapshot:
        """Take another name. It is reserved before it is committed, and the old one after."""
        return await uninterrupted(self._registry.rename(self, name))

    def retell(self, timeline: Timeline) -> None:
        """Publish how a start went with its own end in it; the next change commits it too."""
        self.snapshot = replace(self.snapshot, last_start=timeline)
        self.show(None)

    async def remove(self) -> None:
        """Forget the container, which is REMOVING and holds nothing any more."""
        await uninterrupted(self._registry.remove(self))

    def free_name(self) -> None:
        """Let go of the name, though the record stays until its leftovers are gone."""
        self._registry.free_name(self.snapshot)


class Registry(Directory):
    def __init__(
        self,
        journal: Journal,
        *,
        now: Callable[[], datetime],
        feed: Feed,
        known: Sequence[Snapshot] = (),
        patience: float = 30.0,
        waiting: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """``known`` are those of an earlier moored; ``patience`` is how many seconds a change of
        one of them waits for its recovery. ``waiting`` is held while a claim has to be waited for.
        """
        super().__init__(known)
        self._journal = journal
        self._feed = feed
        self._now = now
        self._revision = feed.revision
        self._patience = patience
        self._waiting = waiting
        for snapshot in known:
            if at_rest(snapshot):
                self.find(snapshot.id).recovered.set()

    @asynccontextmanager
    async def claim(
        self, reference: str, *, generation: int | None = None, recovering: bool = False
    ) -> AsyncIterator[Claim]:
        """Wait for the only right to change a container. Being cut short changes nothing.

        ``generation`` is that of the spec as the caller knows it, and None if any will do.
        Before a container is recovered only ``recovering`` may have it.
        """
        subject = self.find(reference)
        if not recovering:
            await self._recovered(subject)
        async with self._locked(subject):
            if subject.view.gone:
                raise unknown(reference)
            claim = Claim(self, subject, subject.view.snapshot)
            about(claim.snapshot.id, claim.snapshot.run)
            refuse_stale(claim.snapshot, generation)
            try:
                yield claim
            finally:
                if subject.view.stage is not None:
                    claim.show(None)

    @asynccontextmanager
    async def _locked(self, subject: Subject) -> AsyncIterator[None]:
        with self._waiting() if subject.lock.locked() else nullcontext():
            await subject.lock.acquire()
        try:
            yield
        finally:
            subject.lock.release()

    async def _recovered(self, subject: Subject) -> None:
        try:
            async with asyncio.timeout(self._patience):
                await subject.recovered.wait()
        except TimeoutError as error:
            container = subject.view.snapshot.id
            raise errors.RuntimeUnreachable(
                f"cannot change container {container!r}: what became of it while moored was away"
                f" is not known after {self._patience:g} s",
                container=container,
            ) from error

    @asynccontextmanager
    async def enrol(self, snapshot: Snapshot) -> AsyncIterator[Claim]:
        """Reserve the name of a new container. It is there with the first event or ``record``."""
        name = snapshot.spec.name
        if name:
            self._reserve(name, snapshot.id, f"cannot create container {name!r}")
        subject = Subject(snapshot)
        subject.recovered.set()
        try:
            async with subject.lock:
                claim = Claim(self, subject, snapshot)
                about(snapshot.id)
                try:
                    yield claim
                finally:
                    if subject.view.stage is not None:
                        claim.show(None)
        finally:
            if name and not self.knows(snapshot.id):
                self._free(name, snapshot.id)

    @contextmanager
    def preempting(self, subject: Subject, *, removing: bool) -> Iterator[None]:
        """Tell whoever holds the claim, or will wait for it, that a cleanup is under way."""
        subject.cleaners += 1
        subject.removers += removing
        subject.preempted.set()
        try:
            yield
        finally:
            subject.cleaners -= 1
            subject.removers -= removing
            if not subject.cleaners:
                subject.preempted.clear()

    @contextmanager
    def restarting(self, subject: Subject) -> Iterator[None]:
        """Tell whoever gets the claim that the container is stopped only to be started again."""
        subject.restarters += 1
        try:
            yield
        finally:
            subject.restarters -= 1

    async def apply(
        self, claim: Claim, events: Sequence[Event], request: Request | None = None
    ) -> Snapshot:
        """``Claim.apply``'s work: call that."""
        before = after = claim.snapshot
        known = self.knows(before.id)
        steps: list[tuple[Event | None, Snapshot]] = [] if known else [(None, before)]
        for event in events:
            after = advance(after, event)
            steps.append((event, after))
        if not steps:
            return before
        async with self._feed.turn() as turn:
            happenings = tuple(self._happening(event, step) for event, step in steps)
            after = _revised(after, happenings[-1].revision)
            put = Put(before if known else None, after, happenings, self._now(), request)
            await self._journal.commit(put)
            await turn.come()
            claim.snapshot = after
            self.holdings.note(after.id, before.resources, after.resources)
            if not known:
                self._list(claim.subject)
            claim.subject.publish(after, claim.subject.view.stage)
            self._feed.tell([happening.tiding for happening in happenings])
        return after

    async def rename(self, claim: Claim, name: str) -> Snapshot:
        """``Claim.rename``'s work: call that."""
        before = claim.snapshot
        if name == before.spec.name:
            return before
        self._reserve(name, before.id, f"cannot rename container {before.id!r}")
        try:
            after = await self.apply(claim, (Renamed(name),))
        except BaseException:
            self._free(name, before.id)
            raise
        self.free_name(before)
        return after

    async def remove(self, claim: Claim) -> None:
        """``Claim.remove``'s work: call that."""
        snapshot = claim.snapshot
        if not isinstance(snapshot.state, Removing) or snapshot.resources:
            raise errors.IllegalTransition(
                f"cannot remove container {snapshot.id!r} in {snapshot.state}"
                f" with {snapshot.resources}"
            )
        async with self._feed.turn() as turn:
            removal = self._removal(snapshot)
            await self._journal.commit(Drop(snapshot.id, (removal,), self._now()))
            await turn.come()
            self._unlist(claim.subject)
            claim.snapshot = _revised(snapshot, removal.revision)
            claim.subject.publish(claim.snapshot, None, gone=True)
            self._feed.tell((removal.tiding,))

    def free_name(self, snapshot: Snapshot) -> None:
        """``Claim.free_name``'s work: call that."""
        self._free(snapshot.spec.name, snapshot.id)

    def _happening(self, event: Event | None, after: Snapshot) -> Happening:
        """Return that ``event`` led to ``after``; None: it was created."""
        self._revision += 1
        now = self._now()
        if event is None:
            created = tidings.of_container(tidings.CREATED, after, revision=self._revision, at=now)
            return Happening(created, "{}")
        tiding = tidings.of_event(event, after, revision=self._revision, at=now)
        return Happening(tiding, write_event(event))

    def _removal(self, snapshot: Snapshot) -> Happening:
        self._revision += 1
        removed = tidings.of_container(
            tidings.REMOVED, snapshot, revision=self._revision, at=self._now()
        )
        return Happening(removed, "{}")


def refuse_stale(snapshot: Snapshot, generation: int | None) -> None:
    """Refuse a change by a caller who knows another spec. ``claim`` does that for every verb."""
    if generation not in (None, snapshot.generation):
        raise errors.EtagMismatch(
            f"cannot change container {snapshot.id!r}: its spec has changed,"
            f" from etag {generation} to {snapshot.generation}",
            container=snapshot.id,
            etag=str(snapshot.generation),
        )


def _revised(snapshot: Snapshot, revision: int) -> Snapshot:
    return replace(snapshot, revision=revision)
