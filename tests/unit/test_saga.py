"""Sagas: undo before deed, in reverse, to the end; the first error is the caller's."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from moored import errors
from moored.model.resources import Kind, Resource
from moored.model.timeline import Stage, StepOutcome
from moored.saga import Limits, Saga
from tests.fakes.measures import UNMEASURED

AT = datetime(2026, 1, 2, tzinfo=UTC)
LAYER = Resource(Kind.LAYER, "layer", 1)
FILES = Resource(Kind.FILES, "files", 1)
TASK = Resource(Kind.TASK, "task", 1)


class FixedClock:
    """Each look is a second later than the one before."""

    def __init__(self) -> None:
        self._seconds = 0.0

    def now(self) -> datetime:
        return AT

    def seconds(self) -> float:
        self._seconds += 1
        return self._seconds


class World:
    """What was acquired, and the story of how it went."""

    def __init__(self) -> None:
        self.story: list[str] = []
        self.stuck: dict[str, Exception] = {}
        self.hanging: set[str] = set()
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self._tracer = provider.get_tracer("test")

    def saga(self, **limits: float) -> Saga:
        return Saga(
            "start",
            tracer=self._tracer,
            clock=FixedClock(),
            release=self._release,
            limits=Limits(**limits),
            measures=UNMEASURED,
        )

    async def acquire(self, resource: Resource) -> None:
        self.story.append(f"+{resource.key}")

    async def _release(self, resource: Resource) -> None:
        if resource.key in self.hanging:
            await asyncio.Event().wait()
        if error := self.stuck.get(resource.key):
            raise error
        self.story.append(f"-{resource.key}")

    @property
    def spans(self) -> list[tuple[str, str]]:
        return [(s.name, s.status.status_code.name) for s in self.exporter.get_finished_spans()]


class Claim:
    def __init__(self) -> None:
        self.preempted = False
        self.stages: list[str] = []

    def show(self, stage: Stage | None) -> None:
        self.stages.append(stage.step if stage else "")


async def test_a_saga_that_succeeds_undoes_nothing() -> None:
    world = World()
    async with world.saga() as saga, saga.step("rootfs", acquires=[LAYER]):
        await world.acquire(LAYER)
    assert world.story == ["+layer"]


async def test_a_step_that_breaks_is_undone_with_all_before_it_last_first() -> None:
    world = World()
    with pytest.raises(errors.RuntimeRefused, match="no task"):
        async with world.saga() as saga:
            async with saga.step("rootfs", acquires=[LAYER]):
                await world.acquire(LAYER)
            async with saga.step("task", acquires=[FILES, TASK]):
                raise errors.RuntimeRefused("no task")
    assert world.story == ["+layer", "-task", "-files", "-layer"]
    assert saga.failed_step == "task"


async def test_a_failing_undo_does_not_stop_the_next_and_becomes_a_leftover() -> None:
    world = World()
    world.stuck["files"] = OSError("disk is gone")
    with pytest.raises(errors.RuntimeRefused) as caught:
        async with world.saga() as saga, saga.step("rootfs", acquires=[LAYER, FILES]):
            raise errors.RuntimeRefused("first")
    assert world.story == ["-layer"]
    assert [(left.resource, left.reason) for left in saga.leftovers] == [(FILES, "disk is gone")]
    assert caught.value.__notes__ == ["cannot undo files: disk is gone"]


async def test_nothing_is_taken_from_a_task_that_could_not_be_deleted() -> None:
    world = World()
    world.stuck["task"] = errors.RuntimeUnreachable("cannot delete task: gone")
    with pytest.raises(errors.RuntimeRefused):
        async with world.saga() as saga, saga.step("task", acquires=[LAYER, FILES, TASK]):
            raise errors.RuntimeRefused("first")
    assert world.story == []
    assert {left.resource for left in saga.leftovers} == {LAYER, FILES, TASK}


async def test_an_undo_that_hangs_is_given_up_and_is_a_leftover() -> None:
    world = World()
    world.hanging.add("files")
    with pytest.raises(errors.RuntimeRefused):
        async with world.saga(undo=0.01) as saga, saga.step("x", acquires=[LAYER, FILES]):
            raise errors.RuntimeRefused("first")
    assert world.story == ["-layer"]
    assert [left.resource for left in saga.leftovers] == [FILES]


async def test_a_second_cancel_does_not_cut_the_rollback_short() -> None:
    world = World()
    working, begun, go = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        begun.set()
        await go.wait()
        world.story.append("-slow")

    async def work() -> None:
        async with world.saga() as saga:
            async with saga.step("rootfs", acquires=[LAYER]):
                await world.acquire(LAYER)
            async with saga.step("watch", undo=slow):
                working.set()
                await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await asyncio.wait_for(working.wait(), 5)
    task.cancel()
    await asyncio.wait_for(begun.wait(), 5)
    task.cancel()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)
    assert world.story == ["+layer", "-slow", "-layer"]


async def test_a_step_that_takes_too_long_is_named() -> None:
    world = World()
    with pytest.raises(errors.StepTimedOut, match="step task did not end"):
        async with world.saga(step=0.01) as saga, saga.step("task", acquires=[TASK]):
            await asyncio.Event().wait()
    assert world.story == ["-task"]


async def test_a_cleanup_is_noticed_at_the_edge_of_a_step() -> None:
    world, claim = World(), Claim()
    with pytest.raises(errors.PreemptedByCleanup):
        async with world.saga() as saga:
            saga.follow(claim)
            async with saga.step("rootfs", acquires=[LAYER]):
                claim.preempted = True
            async with saga.step("task", acquires=[TASK]):
                await world.acquire(TASK)
    assert world.story == ["-layer"]


async def test_what_is_kept_is_not_undone_by_a_late_failure() -> None:
    world = World()
    with pytest.raises(asyncio.CancelledError):
        async with world.saga() as saga, saga.step("commit", acquires=[LAYER], limit=None):
            saga.keep()
            raise asyncio.CancelledError
    assert world.story == []


async def test_of_two_steps_together_the_first_error_wins_and_both_are_undone() -> None:
    world = World()

    async def breaks(saga: Saga) -> None:
        async with saga.step("files", acquires=[FILES]):
            raise errors.RuntimeRefused("no files")

    async def hangs(saga: Saga) -> None:
        async with saga.step("rootfs", acquires=[LAYER]):
            await asyncio.Event().wait()

    with pytest.raises(errors.RuntimeRefused, match="no files"):
        async with world.saga() as saga:
            await saga.together(hangs(saga), breaks(saga))
    assert sorted(world.story) == ["-files", "-layer"]
    assert ("start.rootfs", "ERROR") in world.spans


async def test_each_step_and_undo_has_its_span_and_its_row() -> None:
    world = World()
    with pytest.raises(errors.RuntimeRefused):
        async with world.saga() as saga:
            async with saga.step("rootfs", acquires=[LAYER]):
                pass
            async with saga.step("task", acquires=[TASK]):
                raise errors.RuntimeRefused("no")
    assert world.spans == [
        ("start.rootfs", "UNSET"),
        ("start.task", "ERROR"),
        ("start.task.undo", "UNSET"),
        ("start.rootfs.undo", "UNSET"),
    ]
    timeline = saga.timeline(4, trace_id="abc")
    assert [(step.name, step.outcome) for step in timeline.steps] == [
        ("rootfs", StepOutcome.DONE),
        ("task", StepOutcome.FAILED),
        ("task.undo", StepOutcome.DONE),
        ("rootfs.undo", StepOutcome.DONE),
    ]
    assert all(step.duration == timedelta(seconds=1) for step in timeline.steps)
    assert timeline.run == 4


async def test_the_stage_is_shown_while_a_step_is_under_way() -> None:
    world, claim = World(), Claim()
    async with world.saga() as saga:
        saga.follow(claim)
        async with saga.step("admit"), saga.step("admit.queue"):
            pass
    assert claim.stages == ["", "admit", "admit", "admit", ""]
