"""A start leaves a running container or no trace, whatever goes wrong at whichever step.

Each call of a start is broken in each way: its request is lost, its reply is lost, it is
refused. The world has to be as it was, the record has to say so, and the next start works.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

import grpc
import pytest

from moored import errors
from moored.model.exits import Origin
from moored.model.resources import Kind
from moored.model.state import Exited, Frozen, Running, Starting, Stranded
from tests.faults.world import soon

if TYPE_CHECKING:
    from tests.faults.world import World

STEPS = {
    "Snapshots.Prepare": "rootfs",
    "Containers.Create": "container",
    "Tasks.Create": "task",
    "Tasks.Start": "run",
}


async def test_a_start_goes_through_its_steps_in_order(world: World) -> None:
    world.fake.story.clear()
    await world.start(name="web")
    assert [line.split()[0] for line in world.fake.story] == [
        "+snapshot",
        "+container",
        "+task",
        ">task",
    ]
    steps = [name for name, _ in world.spans if name.startswith("start")]
    assert steps == [
        "start",
        "start.admit",
        "start.admit.queue",
        "start.record",
        "start.rootfs",
        "start.files",
        "start.spec",
        "start.container",
        "start.task",
        "start.watch",
        "start.run",
        "start.commit",
    ]
    timeline = world.snapshot("web").last_start
    assert timeline is not None
    assert [f"start.{step.name}" for step in timeline.steps] == steps[1:]
    assert timeline.trace_id


@pytest.mark.parametrize("call", STEPS)
@pytest.mark.parametrize("loss", ["request", "reply"])
async def test_a_start_that_breaks_leaves_no_trace(
    world: World, call: str, loss: Literal["request", "reply"]
) -> None:
    before = world.inventory()
    world.fake.lose(loss, call)
    with pytest.raises(errors.RuntimeUnreachable):
        await world.start(name="web")
    assert world.inventory() == before
    failed = world.snapshot("web")
    assert isinstance(failed.state, Exited)
    assert failed.resources == ()
    assert failed.leftovers == ()
    assert failed.exit is not None
    assert (failed.exit.code, failed.exit.origin) == (128, Origin.START_FAILURE)
    assert failed.failure is not None
    assert (failed.failure.step, failed.failure.reason) == (STEPS[call], "RUNTIME_UNREACHABLE")
    assert failed.failure.retriable
    again = await soon(world.verbs.starter.start("web"))
    assert isinstance(again.snapshot.state, Running)
    assert again.snapshot.run == 2
    assert again.snapshot.failure is None


@pytest.mark.parametrize("call", STEPS)
async def test_a_start_that_is_refused_leaves_no_trace(world: World, call: str) -> None:
    before = world.inventory()
    world.fake.refuse(call, grpc.StatusCode.UNKNOWN, "no luck")
    with pytest.raises(errors.RuntimeRefused, match="no luck") as caught:
        await world.start(name="web")
    assert world.inventory() == before
    assert caught.value.facts["step"] == STEPS[call]
    assert caught.value.facts["container"] == world.snapshot("web").id


@pytest.mark.parametrize("what", ["middle", "cleanup"])
async def test_a_task_that_was_half_made_is_cleaned_up(
    world: World, what: Literal["middle", "cleanup"]
) -> None:
    before = world.inventory()
    world.fake.lose(what, "Tasks.Create")
    with pytest.raises(errors.MooredError):
        await world.start(name="web")
    assert world.inventory() == before
    assert world.snapshot("web").leftovers == ()


async def test_a_start_that_hangs_is_undone_after_its_time(world: World) -> None:
    before = world.inventory()
    object.__setattr__(world.verbs.starter.bring_up, "task_limit", 0.05)
    with world.fake.hold("Tasks.Create"), pytest.raises(errors.RuntimeUnreachable):
        await world.start(name="web")
    assert world.inventory() == before


@pytest.mark.parametrize("call", STEPS)
async def test_a_caller_that_goes_away_after_the_record_changes_nothing(
    world: World, call: str
) -> None:
    with world.fake.hold(call) as hold:
        caller = asyncio.create_task(world.start(name="web"))
        await hold.reached()
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        assert isinstance(world.snapshot("web").state, Starting)
    await world.until("web", lambda view: isinstance(view.snapshot.state, Running))


async def test_a_caller_that_goes_away_before_the_record_leaves_nothing(world: World) -> None:
    before = world.inventory()
    with world.fake.hold("Images.Get") as hold:
        caller = asyncio.create_task(world.start(name="web"))
        await hold.reached()
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
    with pytest.raises(errors.ContainerNotFound):
        world.snapshot("web")
    assert world.inventory() == before
    await world.start(name="web")


async def test_a_reader_sees_the_stage_of_a_start_that_is_held(world: World) -> None:
    with world.fake.hold("Tasks.Create") as hold:
        starting = asyncio.create_task(world.start(name="web"))
        await hold.reached()
        view = world.house.registry.peek("web")
        assert isinstance(view.snapshot.state, Starting)
        assert view.stage is not None
        assert (view.stage.verb, view.stage.step) == ("start", "task")
    await soon(starting)
    assert world.house.registry.peek("web").stage is None


async def test_an_undo_that_fails_strands_the_container_and_the_sweep_mends_it(
    world: World,
) -> None:
    before = world.inventory()
    world.fake.lose("reply", "Tasks.Create")
    world.fake.refuse("Tasks.Delete", grpc.StatusCode.UNAVAILABLE, "down", times=9)
    with pytest.raises(errors.RuntimeUnreachable) as caught:
        await world.start(name="web")
    stranded = world.snapshot("web")
    assert isinstance(stranded.state, Stranded)
    assert Kind.TASK in {left.resource.kind for left in stranded.leftovers}
    assert "cannot undo task" in caught.value.__notes__[0]
    with pytest.raises(errors.ContainerStranded):
        await world.verbs.starter.start("web")
    await world.house.keepers.sweep.round()
    assert isinstance(world.snapshot("web").state, Stranded)
    world.fake.forgive()
    assert await world.house.keepers.sweep.round() == (1, 1)
    assert isinstance(world.snapshot("web").state, Exited)
    assert world.inventory() == before


async def test_two_starts_of_one_container_make_one_run(world: World) -> None:
    first = await world.start(name="web")
    outcomes = await asyncio.gather(*(soon(world.verbs.starter.start("web")) for _ in range(5)))
    assert all(outcome.already_running for outcome in outcomes)
    assert world.snapshot("web").run == first.run == 1


async def test_a_start_that_waits_for_another_finds_it_running(world: World) -> None:
    with world.fake.hold("Tasks.Create") as hold:
        first = asyncio.create_task(world.start(name="web"))
        await hold.reached()
        second = asyncio.create_task(world.verbs.starter.start("web"))
        await asyncio.sleep(0)
    assert isinstance((await soon(first)).state, Running)
    assert (await soon(second)).already_running


async def test_a_failed_start_removes_a_container_that_asked_for_it(world: World) -> None:
    before = world.inventory()
    world.fake.lose("request", "Tasks.Create")
    with pytest.raises(errors.RuntimeUnreachable):
        await world.start(name="web", auto_remove=True)
    with pytest.raises(errors.ContainerNotFound):
        world.snapshot("web")
    assert world.inventory() == before
    await world.start(name="web")


async def test_a_paused_container_is_not_started(world: World) -> None:
    started = await world.start(name="web")
    await world.pause(started.id)
    assert isinstance(world.snapshot("web").state, Frozen)
    with pytest.raises(errors.ContainerPaused):
        await world.verbs.starter.start("web")


async def test_a_second_run_uses_the_layer_of_the_first(world: World) -> None:
    await world.start(name="web")
    await soon(world.verbs.stopper.stop("web"))
    layers = world.fake.inventory().active_layers
    world.fake.lose("request", "Tasks.Create")
    with pytest.raises(errors.RuntimeUnreachable):
        await world.verbs.starter.start("web")
    assert world.fake.inventory().active_layers == layers
    assert isinstance((await soon(world.verbs.starter.start("web"))).snapshot.state, Running)
