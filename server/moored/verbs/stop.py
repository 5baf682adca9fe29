"""Stop: the stop signal, some time, and then SIGKILL.

No claim is held while the process takes its time. Whoever asked may go away: a stop that has
begun goes on to its end.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from signal import SIGKILL, SIGTERM
from typing import TYPE_CHECKING, Protocol

from moored import errors
from moored.model.events import StopRequested
from moored.model.intent import Action, Asker, Intent
from moored.model.spec import DEFAULT_STOP_TIMEOUT
from moored.model.state import Frozen, Removing, Running, Stopping
from moored.oci import signals
from moored.verbs.tracing import traced

if TYPE_CHECKING:
    from datetime import timedelta

    from opentelemetry.trace import Tracer

    from moored.model.identity import RunId
    from moored.model.state import Snapshot
    from moored.owner import Owner
    from moored.registry import Claim, Registry, Subject
    from moored.saga import Clock

_STOP = Intent(Action.STOP, Asker.CALLER)


class Tasks(Protocol):
    async def kill(self, run: RunId, signal: int) -> bool: ...


@dataclass(frozen=True)
class StopOutcome:
    snapshot: Snapshot
    already_stopped: bool


@dataclass(frozen=True, kw_only=True)
class Stopper:
    registry: Registry
    tasks: Tasks
    owner: Owner
    tracer: Tracer
    clock: Clock
    kill_limit: float
    """Seconds that a process may live on after SIGKILL before the stop gives up."""

    async def stop(
        self, reference: str, *, signal: int | None = None, timeout: timedelta | None = None
    ) -> StopOutcome:
        subject = self.registry.find(reference)
        work = self._stop(subject, signal, timeout)
        return await self.owner.join(
            traced(self.tracer, "stop", work), "stop", may_cancel=lambda: False
        )

    async def _stop(
        self, subject: Subject, signal: int | None, timeout: timedelta | None
    ) -> StopOutcome:
        snapshot = subject.view.snapshot
        spec = snapshot.spec
        first = signal or signals.parse(spec.stop_signal or snapshot.image.stop_signal) or SIGTERM
        grace = next(t for t in (timeout, spec.stop_timeout, DEFAULT_STOP_TIMEOUT) if t is not None)
        if not grace:
            first = SIGKILL
        run = await self._signal(subject, first)
        if run is None:
            return StopOutcome(subject.view.snapshot, already_stopped=True)
        limit = grace.total_seconds() if first != SIGKILL else self.kill_limit
        if not await ended(subject, run, limit):
            await self.kill(subject, run)
        return StopOutcome(await self._settled(subject), already_stopped=False)

    async def _settled(self, subject: Subject) -> Snapshot:
        """Return the container once what its run held is released, or was tried to be."""
        with suppress(errors.ContainerNotFound):  # auto_remove: its last picture stays
            async with self.registry.claim(subject.view.snapshot.id):
                pass
        return subject.view.snapshot

    async def kill(self, subject: Subject, run: int) -> None:
        """Send SIGKILL to ``run`` if it still lives, and wait. Raises StopUnfinished."""
        if await self._signal(subject, SIGKILL, run) == run and not await ended(
            subject, run, self.kill_limit
        ):
            container = subject.view.snapshot.id
            raise errors.StopUnfinished(
                f"cannot stop container {container!r}:"
                f" killed {self.kill_limit:g} s ago, and its exit was not seen",
                container=container,
            )

    async def _signal(self, subject: Subject, signal: int, only: int = 0) -> int | None:
        """Signal the process and return its run, or None if there is none (of that run)."""
        async with self.registry.claim(subject.view.snapshot.id) as claim:
            snapshot = claim.snapshot
            if only and snapshot.run != only:
                return None
            if not only:
                _refuse_unless_stoppable(claim)
            if not isinstance(snapshot.state, Running | Stopping | Frozen):
                return None
            if not isinstance(snapshot.state, Stopping):
                await claim.apply(StopRequested(_STOP, self.clock.now()))
            await self.tasks.kill(claim.run_id, signal)
            return snapshot.run


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
