"""Start: a running container, or no trace of one.

``Starter`` says who may cancel it and what is recorded of it; ``BringUp`` has the steps.
Until the start is recorded its caller may cancel it; from then on it belongs to the service
and runs to its end or to the end of its rollback.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import format_trace_id

from moored import errors
from moored.model.events import StartRequested
from moored.model.state import Running, Starting
from moored.saga import Limits, Saga
from moored.telemetry.background import origin_of
from moored.uninterrupted import uninterrupted
from moored.verbs.attempt import Attempt, StartOutcome
from moored.verbs.startable import between_halves, refuse_if_removing, refuse_unless_startable

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from datetime import datetime

    from opentelemetry.trace import Span, Tracer

    from moored.failpoints import Failpoints
    from moored.model.requests import Request
    from moored.model.spec import Spec
    from moored.owner import Owner
    from moored.registry import Claim, Registry
    from moored.saga import Clock
    from moored.telemetry.measures import Measures
    from moored.verbs.bring_up import BringUp
    from moored.verbs.create import Creator
    from moored.verbs.failures import Failures
    from moored.verbs.gate import Gate
    from moored.verbs.release import Releaser


@dataclass(frozen=True, kw_only=True)
class Starter:
    registry: Registry
    creator: Creator
    bring_up: BringUp
    releaser: Releaser
    gate: Gate
    owner: Owner
    tracer: Tracer
    measures: Measures
    failpoints: Failpoints
    clock: Clock
    limits: Limits
    failures: Failures

    async def start(
        self,
        reference: str,
        *,
        request: Request | None = None,
        generation: int | None = None,
        again: bool = False,
        due: datetime | None = None,
    ) -> StartOutcome:
        """Bring an existing container to RUNNING. ``again``: as the second half of a restart.

        ``due``: as the restart policy asked for then, unless that is not wanted any more. It does
        not count as a start by hand.
        """

        async def work(attempt: Attempt) -> StartOutcome:
            attempt.due = due
            return await self._start(reference, attempt, generation, again=again)

        return await self._own(work, request)

    async def create_and_start(self, spec: Spec, *, request: Request | None = None) -> StartOutcome:
        """Create a container and bring it to RUNNING, in one commit fewer than two calls."""
        return await self._own(lambda attempt: self._create_and_start(spec, attempt), request)

    async def _own(
        self,
        work: Callable[[Attempt], Coroutine[Any, Any, StartOutcome]],
        request: Request | None,
    ) -> StartOutcome:
        saga = Saga(
            "start",
            tracer=self.tracer,
            clock=self.clock,
            release=self.releaser.release,
            limits=self.limits,
            measures=self.measures,
            failpoints=self.failpoints,
        )
        attempt = Attempt(saga, request)
        return await self.owner.join(
            self._traced(work, attempt), "start", may_cancel=attempt.may_cancel
        )

    async def _traced(
        self, work: Callable[[Attempt], Coroutine[Any, Any, StartOutcome]], attempt: Attempt
    ) -> StartOutcome:
        with attempt.saga.span("start") as span:
            attempt.span, attempt.trace_id = span, _trace_id(span)
            attempt.saga.origin = origin_of(span)
            return await work(attempt)

    async def _start(
        self, reference: str, attempt: Attempt, generation: int | None, *, again: bool
    ) -> StartOutcome:
        saga = attempt.saga
        async with AsyncExitStack() as held:
            async with saga.step("admit", limit=None):
                refuse_if_removing(self.registry.find(reference))
                async with saga.step("admit.claim", limit=None):
                    waiting = self.registry.claim(reference, generation=generation)
                    claim = await held.enter_async_context(waiting)
                attempt.follow(claim)
                running = isinstance(claim.snapshot.state, Running)
                if running or not attempt.is_wanted(claim.snapshot):
                    return StartOutcome(claim.snapshot, already_running=running)
                if claim.restarting is not again:
                    raise between_halves(claim.snapshot.id, again=again)
                refuse_unless_startable(claim.snapshot)
                await self.creator.admission.check(claim.snapshot.spec)
                await self._take_turn(claim, saga, held)
            return await self._run(claim, attempt)

    async def _create_and_start(self, spec: Spec, attempt: Attempt) -> StartOutcome:
        saga = attempt.saga
        async with AsyncExitStack() as held:
            async with saga.step("admit", limit=None):
                draft = await self.creator.draft(spec)
                claim = await held.enter_async_context(self.registry.enrol(draft))
                attempt.follow(claim)
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
        attempt.number(claim, run)
        saga = attempt.saga
        try:
            async with saga.step("record", limit=None):
                await self._record(claim, attempt, run)
            await self.bring_up.bring_up(claim, saga, attempt.trace_id)
        except BaseException as error:
            if isinstance(claim.snapshot.state, Starting):
                try:
                    await uninterrupted(self.failures.record(claim, attempt, error))
                except errors.LedgerFailed as second:  # the sweep will record it
                    error.add_note(str(second))
            raise
        return StartOutcome(claim.snapshot, already_running=False)

    async def _record(self, claim: Claim, attempt: Attempt, run: int) -> None:
        with self.bring_up.reserved(claim.snapshot, run) as plan:
            requested = StartRequested(
                run, plan.resources, attempt.intent, self.clock.now(), plan.networks
            )
            await claim.apply(requested, request=attempt.request)


def _trace_id(span: Span) -> str:
    context = span.get_span_context()
    return format_trace_id(context.trace_id) if context.is_valid else ""
