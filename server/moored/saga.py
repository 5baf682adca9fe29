"""Steps, their undos, their spans and their times: for one verb on one container.

Laws: an undo is on the list before its deed, for a call whose reply is lost may have
happened; it tolerates finding nothing; undos run in reverse, to their end, whoever is
cancelled meanwhile; a failing undo does not stop the next; the first error is the one that
the caller gets, and the others become leftovers.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, overload

from opentelemetry.trace import SpanKind, Status, StatusCode

from moored import errors
from moored.failpoints import NONE, Failpoints, ToldToFail
from moored.model.resources import Leftover, Resource, blocked
from moored.model.timeline import Stage, Step, StepOutcome, Timeline
from moored.uninterrupted import uninterrupted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
    from types import TracebackType

    from opentelemetry.trace import Span, Tracer

    from moored.telemetry.measures import Measures

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")


USUAL_LIMIT: Final = 0.0


class Clock(Protocol):
    """What time it is: on the wall, and for durations."""

    def now(self) -> datetime: ...

    def seconds(self) -> float: ...


class Followed(Protocol):
    """The part of a claim that a saga uses."""

    @property
    def preempted(self) -> bool: ...
    def show(self, stage: Stage | None) -> None: ...


@dataclass(frozen=True)
class Limits:
    """Seconds that one step, and one undo, may take."""

    step: float = 30.0
    undo: float = 10.0


@dataclass(frozen=True)
class Undo:
    """How to take one thing back, and which resource is left where that fails."""

    step: str
    deed: Callable[[], Awaitable[object]]
    resource: Resource | None


class Saga:
    """One verb under way. ``release`` lets go of a resource, and may find it gone."""

    def __init__(
        self,
        verb: str,
        *,
        tracer: Tracer,
        clock: Clock,
        release: Callable[[Resource], Awaitable[object]],
        limits: Limits,
        measures: Measures,
        failpoints: Failpoints = NONE,
    ) -> None:
        self.verb: Final = verb
        self.leftovers: list[Leftover] = []
        self.failed_step = ""
        self.origin = ""
        """The id of the span that what follows from this refers to."""
        self._claim: Followed | None = None
        self._tracer = tracer
        self._clock = clock
        self._release = release
        self._limits = limits
        self._measures = measures
        self._failpoints = failpoints
        self._began_at = clock.now()
        self._began = clock.seconds()
        self._steps: list[Step] = []
        self._undos: list[Undo] = []
        self._under_way: list[Stage] = []

    async def __aenter__(self) -> Saga:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            return
        await uninterrupted(self._undo_all())
        for leftover in self.leftovers:
            error.add_note(f"cannot undo {leftover.resource.kind}: {leftover.reason}")

    @asynccontextmanager
    async def step(
        self,
        name: str,
        *,
        acquires: Sequence[Resource] = (),
        undo: Callable[[], Awaitable[object]] | None = None,
        limit: float | None = USUAL_LIMIT,
        late: type[errors.MooredError] = errors.StepTimedOut,
    ) -> AsyncIterator[Span]:
        """Run one step. What it ``acquires`` is released, last first, if the saga fails.

        ``limit`` None is for what nobody may cut short because it ends by itself; ``late`` is what
        a step fails with that did not end in time.
        """
        if self._claim is not None and self._claim.preempted:
            raise errors.PreemptedByCleanup(
                f"cannot {self.verb} container: a cleanup came in between", step=name
            )
        if undo is not None:
            self._undos.append(Undo(name, undo, None))
        self._undos += (self._releasing(name, resource) for resource in acquires)
        stage = Stage(self.verb, name, self._clock.now())
        self._under_way.append(stage)
        self._show()
        try:
            with self.span(f"{self.verb}.{name}") as span, self._timed(name):
                limit = self._limits.step if limit == USUAL_LIMIT else limit
                try:
                    async with asyncio.timeout(limit), self._failing(name):
                        yield span
                except TimeoutError as error:
                    raise late(
                        f"cannot {self.verb} container: step {name} did not end in {limit:g} s",
                        step=name,
                    ) from error
        except BaseException:
            self.failed_step = self.failed_step or name
            raise
        finally:
            self._under_way.remove(stage)
            self._show()

    @overload
    async def together(
        self, one: Coroutine[Any, Any, A], two: Coroutine[Any, Any, B], /
    ) -> tuple[A, B]: ...
    @overload
    async def together(
        self,
        one: Coroutine[Any, Any, A],
        two: Coroutine[Any, Any, B],
        three: Coroutine[Any, Any, C],
        /,
    ) -> tuple[A, B, C]: ...
    @overload
    async def together(
        self,
        one: Coroutine[Any, Any, A],
        two: Coroutine[Any, Any, B],
        three: Coroutine[Any, Any, C],
        four: Coroutine[Any, Any, D],
        /,
    ) -> tuple[A, B, C, D]: ...
    async def together(self, *work: Coroutine[Any, Any, Any]) -> tuple[Any, ...]:
        """Let coroutines overlap. The first failure cancels the others, and is raised."""
        tasks = tuple(asyncio.ensure_future(each) for each in work)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            first = next(
                (t for t in tasks if t.done() and not t.cancelled() and t.exception()), None
            )
            for task in tasks:
                task.cancel()
            await uninterrupted(_ended(tasks))
        if first is not None:
            first.result()
        return tuple(task.result() for task in tasks)

    def follow(self, claim: Followed) -> None:
        """Publish the stage by ``claim`` from now on; end at a step's edge if it is preempted."""
        self._claim = claim
        self._show()

    def keep(self) -> None:
        """What was acquired so far stays, whatever comes."""
        self._undos.clear()

    def timeline(self, run: int, *, trace_id: str = "") -> Timeline:
        took = timedelta(seconds=self._clock.seconds() - self._began)
        steps = sorted(self._steps, key=lambda step: step.offset)
        return Timeline(run, self._began_at, took, tuple(steps), trace_id, self.origin)

    def _show(self) -> None:
        if self._claim is not None:
            self._claim.show(self._under_way[0] if self._under_way else None)

    def _releasing(self, step: str, resource: Resource) -> Undo:
        return Undo(step, lambda: self._release(resource), resource)

    async def _undo_all(self) -> None:
        while self._undos:
            undo = self._undos.pop()
            name = f"{undo.step}.undo"
            try:
                with self.span(f"{self.verb}.{name}") as span, self._timed(name):
                    if undo.resource is not None:
                        span.set_attribute("moorage.resource.kind", undo.resource.kind)
                        self._refuse_blocked(undo.resource)
                    async with asyncio.timeout(self._limits.undo), self._failing(name):
                        await undo.deed()
            except Exception as error:  # noqa: BLE001  # the undos below still hold resources
                if undo.resource is not None:
                    self._leave(undo.resource, error)

    def _refuse_blocked(self, resource: Resource) -> None:
        if why := blocked(resource, (leftover.resource for leftover in self.leftovers)):
            raise errors.RuntimeRefused(why)

    def _leave(self, resource: Resource, error: Exception) -> None:
        reason = str(error) or f"took longer than {self._limits.undo:g} s"
        self.leftovers.append(Leftover(resource, reason, self._clock.now()))

    @asynccontextmanager
    async def _failing(self, name: str) -> AsyncIterator[None]:
        """Pass the fail points before and after what is within."""
        if not self._failpoints:
            yield
            return
        try:
            await self._failpoints.reach(f"{self.verb}.{name}.before")
            yield
            await self._failpoints.reach(f"{self.verb}.{name}.after")
        except ToldToFail as error:
            raise errors.RuntimeRefused(f"cannot {self.verb} container: {error}") from error

    @contextmanager
    def span(self, name: str) -> Iterator[Span]:
        with self._tracer.start_as_current_span(name, kind=SpanKind.INTERNAL) as span:
            try:
                yield span
            except asyncio.CancelledError:  # the SDK records Exceptions only
                span.set_status(Status(StatusCode.ERROR, "cancelled"))
                raise

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        began = self._clock.seconds()
        outcome, why = StepOutcome.DONE, ""
        try:
            yield
        except asyncio.CancelledError:
            outcome = StepOutcome.CANCELLED
            raise
        except BaseException as error:
            outcome, why = StepOutcome.FAILED, str(error) or type(error).__name__
            raise
        finally:
            offset = timedelta(seconds=began - self._began)
            took = timedelta(seconds=self._clock.seconds() - began)
            self._steps.append(Step(name, offset, took, outcome, why))
            self._measures.step(f"{self.verb}.{name}", outcome, took.total_seconds())


async def _ended(tasks: Sequence[asyncio.Task[Any]]) -> None:
    await asyncio.wait(tasks)
