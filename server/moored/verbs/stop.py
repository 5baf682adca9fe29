"""Stop: the stop signal, some time, and then SIGKILL.

No claim is held while the process takes its time. Whoever asked may go away: a stop that has
begun goes on to its end.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from signal import SIGKILL, SIGTERM
from typing import TYPE_CHECKING, Final, Protocol

from moored import errors
from moored.model.events import StopRequested
from moored.model.intent import Action, Asker, Intent
from moored.model.spec import DEFAULT_STOP_TIMEOUT
from moored.model.state import (
    Created,
    Exited,
    Frozen,
    Removing,
    Restarting,
    Running,
    Stopping,
    Stranded,
)
from moored.oci import signals
from moored.verbs.tracing import traced

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta

    from opentelemetry.trace import Tracer

    from moored.directory import Subject
    from moored.model.identity import ContainerId, RunId
    from moored.model.state import Snapshot
    from moored.owner import Owner
    from moored.registry import Claim, Registry
    from moored.saga import Clock

STOP: Final = Intent(Action.STOP, Asker.CALLER)
START_AGAIN: Final = Intent(Action.RUN, Asker.CALLER)
"""Of a stop that is the first half of a restart."""


class Tasks(Protocol):
    async def kill(self, run: RunId, signal: int) -> bool: ...


@dataclass(frozen=True)
class StopOutcome:
    snapshot: Snapshot
    already_stopped: bool


@dataclass(frozen=True)
class Wish:
    """How to stop: what is not said here, the container's spec says."""

    signal: int | None
    timeout: timedelta | None
    generation: int | None
    """Of the spec as the caller knows it."""
    intent: Intent

    def begin(self, snapshot: Snapshot) -> tuple[int, timedelta]:
        """Return the signal to begin with, and how long that has to work."""
        given = (self.timeout, snapshot.spec.stop_timeout, DEFAULT_STOP_TIMEOUT)
        grace = next(time for time in given if time is not None)
        if not grace:
            return SIGKILL, grace
        named = signals.parse(snapshot.spec.stop_signal or snapshot.image.stop_signal)
        return self.signal or named or SIGTERM, grace


@dataclass(frozen=True, kw_only=True)
class Stopper:
    registry: Registry
    tasks: Tasks
    owner: Owner
    tracer: Tracer
    clock: Clock
    kill_limit: float
    """Seconds that a process may live on after SIGKILL before the stop gives up."""
    unfinished: set[ContainerId] = field(default_factory=set)
    """Those that are STOPPING, and whose stop gave up: for the sweep to go on with."""

    async def stop(
        self,
        reference: str,
        *,
        signal: int | None = None,
        timeout: timedelta | None = None,
        generation: int | None = None,
        intent: Intent = STOP,
    ) -> StopOutcome:
        wish = Wish(signal, timeout, generation, intent)
        work = self._stop(self.registry.find(reference), wish)
        return await self.owner.join(
            traced(self.tracer, "stop", work), "stop", may_cancel=lambda: False
        )

    async def _stop(self, subject: Subject, wish: Wish) -> StopOutcome:
        async with self.registry.claim(
            subject.view.snapshot.id, generation=wish.generation
        ) as claim:
            _refuse_unless_stoppable(claim)
            if not isinstance(claim.snapshot.state, Running | Stopping):
                return await self._without_process(claim, wish)
            run, first, grace = claim.snapshot.run, *wish.begin(claim.snapshot)
            with self._noting(subject):
                await self._send(claim, first, wish.intent)
        limit = grace.total_seconds() if first != SIGKILL else self.kill_limit
        if not await ended(subject, run, limit):
            await self.kill(subject, run, None)
        return StopOutcome(await self._settled(subject), already_stopped=False)

    async def _without_process(self, claim: Claim, wish: Wish) -> StopOutcome:
        """Put on record that it shall not run, and give up the run that is waited for."""
        snapshot = claim.snapshot
        if wish.intent != STOP:
            return StopOutcome(snapshot, already_stopped=True)
        undone = isinstance(snapshot.state, Created | Exited | Restarting | Stranded)
        if undone and snapshot.intent != STOP:
            await claim.apply(StopRequested(STOP, self.clock.now()))
        waited = isinstance(snapshot.state, Restarting)
        return StopOutcome(claim.snapshot, already_stopped=not waited)

    async def _settled(self, subject: Subject) -> Snapshot:
        """Return the container once what its run held is released, or was tried to be."""
        with suppress(errors.ContainerNotFound):  # auto_remove: its last picture stays
            async with self.registry.claim(subject.view.snapshot.id):
                pass
        return subject.view.snapshot

    async def kill(self, subject: Subject, run: int, intent: Intent | None = STOP) -> None:
        """Send SIGKILL to ``run`` if it still lives, and wait. Raises StopUnfinished.

        ``intent`` None is for a stop that goes on: what was wanted meanwhile stands.
        """
        with self._noting(subject):
            killed = await self._kill(subject, run, intent)
            if killed and not await ended(subject, run, self.kill_limit):
                container = subject.view.snapshot.id
                raise errors.StopUnfinished(
                    f"cannot stop container {container!r}:"
                    f" killed {self.kill_limit:g} s ago, and its exit was not seen",
                    container=container,
                )

    @contextmanager
    def _noting(self, subject: Subject) -> Iterator[None]:
        """Note a stop that gives up within, so that it is gone on with unasked."""
        try:
            yield
        except errors.MooredError:
            if isinstance(subject.view.snapshot.state, Stopping):
                self.unfinished.add(subject.view.snapshot.id)
            raise

    async def _kill(self, subject: Subject, run: int, intent: Intent | None) -> bool:
        """Send SIGKILL, also to what is paused, and return whether there was a process."""
        try:
            async with self.registry.claim(subject.view.snapshot.id) as claim:
                alive = isinstance(claim.snapshot.state, Running | Stopping | Frozen)
                if not alive or claim.snapshot.run != run:
                    return False
                await self._send(claim, SIGKILL, intent or claim.snapshot.intent)
                return True
        except errors.ContainerNotFound:  # auto_remove was faster
            return False

    async def _send(self, claim: Claim, signal: int, intent: Intent) -> None:
        snapshot = claim.snapshot
        if not isinstance(snapshot.state, Stopping) or snapshot.intent != intent:
            await claim.apply(StopRequested(intent, self.clock.now()))
        await self.tasks.kill(claim.run_id, signal)


async def ended(subject: Subject, run: int, within: float) -> bool:
    """Wait until ``run`` has no process any more, and return whether that came in time."""

    def over() -> bool:
        snapshot = subject.view.snapshot
        alive = isinstance(snapshot.state, Running | Frozen | Stopping)
        return subject.view.gone or snapshot.run != run or not alive

    try:
        async with asyncio.timeout(within):
            await subject.until(lambda _: over())
    except TimeoutError:
        return over()
    return True


def _refuse_unless_stoppable(claim: Claim) -> None:
    container = claim.snapshot.id
    match claim.snapshot.state:
        case Frozen():
            raise errors.ContainerPaused(
                f"cannot stop container {container!r}: it is paused, resume it first",
                container=container,
            )
        case Removing():
            raise errors.ContainerRemoving(
                f"cannot stop container {container!r}: it is being removed", container=container
            )
        case _:
            return
