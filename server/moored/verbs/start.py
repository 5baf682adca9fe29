"""Start: a running container, or no trace of one.

``Starter`` says which states may start and what is recorded of it; ``BringUp`` has the steps.
Until the start is recorded its caller may cancel it; from then on it belongs to the service
and runs to its end or to the end of its rollback.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.trace import format_trace_id

from moored import errors
from moored.model import exits
from moored.model.events import StartFailure, StartRequested, StartUndone
from moored.model.exits import Exit, Origin
from moored.model.intent import Action, Asker, Intent
from moored.model.state import (
    Created,
    Exited,
    Frozen,
    Removing,
    Running,
    Starting,
    Stopping,
    Stranded,
)
from moored.saga import Limits, Saga
from moored.uninterrupted import uninterrupted
from moored.verbs.remove import remove

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from opentelemetry.trace import Span, Tracer

    from moored.model.spec import Spec
    from moored.model.state import Snapshot
    from moored.owner import Owner
    from moored.registry import Claim, Registry, Subject
    from moored.saga import Clock
    from moored.verbs.bring_up import BringUp
    from moored.verbs.create import Creator
    from moored.verbs.gate import Gate
    from moored.verbs.release import Releaser

_CODES: Final[dict[type[BaseException], int]] = {
    errors.CommandNotFound: exits.COMMAND_NOT_FOUND,
    errors.CommandNotExecutable: exits.COMMAND_NOT_EXECUTABLE,
}
_WANTED: Final = Intent(Action.RUN, Asker.CALLER)


@dataclass(frozen=True)
class StartOutcome:
    snapshot: Snapshot
    already_running: bool


@dataclass
class Attempt:
    """One call of Start. It can be cancelled until it is recorded."""

    saga: Saga
    recorded: bool = False
    trace_id: str = ""

    def may_cancel(self) -> bool:
        return not self.recorded


@dataclass(frozen=True, kw_only=True)
class Starter:
    registry: Registry
    creator: Creator
    bring_up: BringUp
    releaser: Releaser
    gate: Gate
    owner: Owner
    tracer: Tracer
    clock: Clock
    limits: Limits

    async def start(self, reference: str) -> StartOutcome:
        """Bring an existing container to RUNNING."""
        return await self._own(lambda attempt: self._start(reference, attempt))

    async def create_and_start(self, spec: Spec) -> StartOutcome:
        """Create a container and bring it to RUNNING, in one commit fewer than two calls."""
        return await self._own(lambda attempt: self._create_and_start(spec, attempt))

    async def _own(
        self, work: Callable[[Attempt], Coroutine[Any, Any, StartOutcome]]
    ) -> StartOutcome:
        saga = Saga(
            "start",
            tracer=self.tracer,
            clock=self.clock,
            release=self.releaser.release,
            limits=self.limits,
        )
        attempt = Attempt(saga)
        return await self.owner.join(
            self._traced(work, attempt), "start", may_cancel=attempt.may_cancel
        )

    async def _traced(
        self, work: Callable[[Attempt], Coroutine[Any, Any, StartOutcome]], attempt: Attempt
    ) -> StartOutcome:
        with attempt.saga.span("start") as span:
            attempt.trace_id = _trace_id(span)
            return await work(attempt)

    async def _start(self, reference: str, attempt: Attempt) -> StartOutcome:
        saga = attempt.saga
        async with AsyncExitStack() as held:
            async with saga.step("admit", limit=None):
                _refuse_if_removing(self.registry.find(reference))
                async with saga.step("admit.claim", limit=None):
                    claim = await held.enter_async_context(self.registry.claim(reference))
                saga.follow(claim)
                if isinstance(claim.snapshot.state, Running):
                    return StartOutcome(claim.snapshot, already_running=True)
                _refuse_unless_startable(claim.snapshot)
                self.creator.admission.check(claim.snapshot.spec)
                await self._take_turn(claim, saga, held)
            return await self._run(claim, attempt)

    async def _create_and_start(self, spec: Spec, attempt: Attempt) -> StartOutcome:
        saga = attempt.saga
        async with AsyncExitStack() as held:
            async with saga.step("admit", limit=None):
                draft = await self.creator.draft(spec)
                claim = await held.enter_async_context(self.registry.enrol(draft))
                saga.follow(claim)
                await self._take_turn(claim, saga, held)
            return await self._run(claim, attempt)

    async def _take_turn(self, claim: Claim, saga: Saga, held: AsyncExitStack) -> None:
        async with saga.step("admit.queue", limit=None):
            await self.gate.enter(claim.subject.preempted)
            held.callback(self.gate.leave)

    async def _run(self, claim: Claim, attempt: Attempt) -> StartOutcome:
        """Record the start, and then let it succeed or undo it: nobody cancels it any more."""
        attempt.recorded = True
        run = claim.snapshot.run + 1
        saga = attempt.saga
        try:
            async with saga.step("record", limit=None):
                wanted = self.bring_up.resources(claim.snapshot, run)
                await claim.apply(StartRequested(run, wanted, _WANTED, self.clock.now()))
            await self.bring_up.bring_up(claim, saga, attempt.trace_id)
        except BaseException as error:
            if isinstance(claim.snapshot.state, Starting):
                try:
                    await uninterrupted(self._failed(claim, attempt, error))
                except errors.LedgerFailed as second:  # the sweep will record it
                    error.add_note(str(second))
            raise
        return StartOutcome(claim.snapshot, already_running=False)

    async def _failed(self, claim: Claim, attempt: Attempt, error: BaseException) -> None:
        """Put the failure on record, under the claim that the start had."""
        now, snapshot, saga = self.clock.now(), claim.snapshot, attempt.saga
        if isinstance(error, errors.MooredError):
            error.facts.setdefault("container", snapshot.id)
            error.facts.setdefault("step", saga.failed_step)
        failure = StartFailure(
            reason=_reason(error),
            message=str(error) or "the service is shutting down",
            step=saga.failed_step,
            retriable=isinstance(error, errors.MooredError) and error.retriable,
            at=now,
        )
        code = _CODES.get(type(error), exits.START_FAILED)
        await claim.apply(
            StartUndone(
                exit=Exit(code, Origin.START_FAILURE, now),
                failure=failure,
                leftovers=tuple(saga.leftovers),
                timeline=saga.timeline(snapshot.run, trace_id=attempt.trace_id),
            )
        )
        if snapshot.spec.auto_remove:
            intent = Intent(Action.REMOVE, Asker.AUTO_REMOVE)
            await remove(claim, intent, releaser=self.releaser, clock=self.clock)


def _refuse_if_removing(subject: Subject) -> None:
    """Do not wait for the end of what is on its way out."""
    if subject.removers:
        container = subject.view.snapshot.id
        raise errors.ContainerRemoving(
            f"cannot start container {container!r}: it is being removed", container=container
        )


def _refuse_unless_startable(snapshot: Snapshot) -> None:
    what = f"cannot start container {snapshot.id!r}"
    facts = {"container": snapshot.id}
    match snapshot.state:
        case _ if snapshot.intent.action is Action.REMOVE:
            raise errors.ContainerRemoving(f"{what}: it is being removed", **facts)
        case Created() | Exited():
            return
        case Frozen():
            raise errors.ContainerPaused(f"{what}: it is paused, resume it instead", **facts)
        case Stopping():
            raise errors.ContainerStopping(f"{what}: it is stopping", **facts)
        case Removing():
            raise errors.ContainerRemoving(f"{what}: it is being removed", **facts)
        case Stranded():
            kinds = ", ".join(sorted({left.resource.kind for left in snapshot.leftovers}))
            raise errors.ContainerStranded(
                f"{what}: leftovers of an earlier run have to go first ({kinds})", **facts
            )
        case Starting():  # its rollback could not be recorded; the sweep will
            raise errors.ContainerStranded(f"{what}: an earlier start is not undone yet", **facts)
        case Running():
            raise AssertionError("a running container is answered before")


def _reason(error: BaseException) -> str:
    if isinstance(error, errors.MooredError):
        return errors.reason(type(error))
    return "INTERRUPTED" if isinstance(error, asyncio.CancelledError) else "BUG"


def _trace_id(span: Span) -> str:
    context = span.get_span_context()
    return format_trace_id(context.trace_id) if context.is_valid else ""
