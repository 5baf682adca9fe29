"""Cleanup: release what a container holds, from every state, and say what became of each.

It pre-empts a start under way, and may be called again and again. What it could not release
stays on record, and the sweep goes on trying.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from moored import errors
from moored.model.events import StopRequested
from moored.model.intent import Action, Asker, Intent
from moored.model.state import Frozen, Running, Snapshot, Starting, Stopping
from moored.model.timeline import Stage
from moored.registry import refuse_stale
from moored.verbs.interrupted import undo_interrupted
from moored.verbs.release import Outcome, Released, Releaser
from moored.verbs.remove import remove
from moored.verbs.stop import STOP
from moored.verbs.tracing import traced

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.trace import Tracer

    from moored.directory import Subject
    from moored.owner import Owner
    from moored.registry import Claim, Registry
    from moored.saga import Clock
    from moored.verbs.stop import Stopper

_REMOVE = Intent(Action.REMOVE, Asker.CALLER)
_MOST_ROUNDS = 8
"""How often a container may be started again under a cleanup before that gives up."""


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """What a cleanup may do beside releasing what runs left."""

    force: bool
    """Kill a process."""
    remove: bool
    """Remove the container."""
    volumes: bool
    """And its anonymous volumes with it."""


@dataclass(frozen=True)
class CleanupOutcome:
    rows: Sequence[Released]
    snapshot: Snapshot

    @property
    def complete(self) -> bool:
        return all(row.outcome is not Outcome.FAILED for row in self.rows)


@dataclass(frozen=True, kw_only=True)
class Cleaner:
    registry: Registry
    stopper: Stopper
    releaser: Releaser
    owner: Owner
    tracer: Tracer
    clock: Clock

    async def cleanup(
        self,
        reference: str,
        *,
        force: bool,
        and_remove: bool,
        with_volumes: bool = False,
        generation: int | None = None,
    ) -> CleanupOutcome:
        wanted = _Wanted(force=force, remove=and_remove, volumes=with_volumes)
        subject = self.registry.find(reference)
        refuse_stale(subject.view.snapshot, generation)  # or it would have pre-empted a start
        work = self._cleanup(subject, generation, wanted)
        return await self.owner.join(
            traced(self.tracer, "cleanup", work), "cleanup", may_cancel=lambda: False
        )

    async def _cleanup(
        self, subject: Subject, generation: int | None, wanted: _Wanted
    ) -> CleanupOutcome:
        _refuse_unless_forced(subject.view.snapshot, force=wanted.force)
        with self.registry.preempting(subject, removing=wanted.remove):
            for _ in range(_MOST_ROUNDS):
                outcome = await self._round(subject, generation, wanted)
                if outcome is not None:
                    return outcome
                generation = None  # what has begun goes on
                await self.stopper.kill(subject, subject.view.snapshot.run)
        container = subject.view.snapshot.id
        raise errors.ContainerRunning(
            f"cannot clean up container {container!r}: it was started again each time",
            container=container,
        )

    async def _round(
        self, subject: Subject, generation: int | None, wanted: _Wanted
    ) -> CleanupOutcome | None:
        """Release under one claim, or return None if there is a process to be killed first."""
        if subject.view.gone:
            return CleanupOutcome((), subject.view.snapshot)
        try:
            async with self.registry.claim(
                subject.view.snapshot.id, generation=generation
            ) as claim:
                _refuse_unless_forced(claim.snapshot, force=wanted.force)
                if isinstance(claim.snapshot.state, Running | Frozen | Stopping):
                    return None
                rows = await self._release(claim, wanted)
                return CleanupOutcome(rows, claim.snapshot)
        except errors.ContainerNotFound:
            if not subject.view.gone:
                raise
            return CleanupOutcome((), subject.view.snapshot)

    async def _release(self, claim: Claim, wanted: _Wanted) -> Sequence[Released]:
        claim.show(Stage("cleanup", "release", self.clock.now()))
        undone: Sequence[Released] = ()
        if isinstance(claim.snapshot.state, Starting):
            undone = await undo_interrupted(claim, releaser=self.releaser, clock=self.clock)
        return [*undone, *await self._release_rest(claim, wanted)]

    async def _release_rest(self, claim: Claim, wanted: _Wanted) -> Sequence[Released]:
        if wanted.remove:
            volumes = wanted.volumes or claim.snapshot.spec.auto_remove
            return await remove(
                claim, _REMOVE, releaser=self.releaser, clock=self.clock, volumes=volumes
            )
        if claim.snapshot.intent.action is Action.RUN:
            await claim.apply(StopRequested(STOP, self.clock.now()))
        left = {leftover.resource for leftover in claim.snapshot.leftovers}
        rows = await self.releaser.release_all(
            r for r in claim.snapshot.resources if not r.kept or r in left
        )
        if rows:
            await claim.apply(*self.releaser.events(claim.snapshot, rows))
        return rows


def _refuse_unless_forced(snapshot: Snapshot, *, force: bool) -> None:
    if not force and isinstance(snapshot.state, Running | Frozen | Stopping):
        raise errors.ContainerRunning(
            f"cannot clean up container {snapshot.id!r}: it runs; stop it, or use force",
            container=snapshot.id,
        )
