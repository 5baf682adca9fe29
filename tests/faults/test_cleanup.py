"""Cleanup is legal from every state, says what became of each resource, and ends clean.

Each call of a cleanup is broken in each way: what it could not release is named, and gone
after the sweep.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

import grpc
import pytest

from moored import errors
from moored.model.intent import Action
from moored.model.resources import Kind
from moored.model.state import Created, Exited, Running, Stopping, Stranded
from moored.verbs.release import Outcome
from tests.faults.world import STAYS, soon

if TYPE_CHECKING:
    from moored.model.state import Snapshot
    from moored.verbs.cleanup import CleanupOutcome
    from tests.faults.world import World

CALLS = ("Tasks.Kill", "Tasks.Delete", "Snapshots.Remove", "Containers.Delete")


async def clean(
    world: World, reference: str = "web", *, force: bool = True, remove: bool = True
) -> CleanupOutcome:
    return await soon(world.verbs.cleaner.cleanup(reference, force=force, and_remove=remove))


def _kinds(snapshot: Snapshot) -> list[Kind]:
    """Return the kinds of what a container holds, in the order of release."""
    held = {resource.kind for resource in snapshot.resources}
    return [kind for kind in Kind if kind in held]


async def test_a_running_container_is_killed_and_every_resource_has_its_row(world: World) -> None:
    before = world.inventory()
    started = await world.start(name="web", ipc="shareable")
    outcome = await clean(world)
    assert outcome.complete
    assert [row.resource.kind for row in outcome.rows] == _kinds(started)
    assert {row.outcome for row in outcome.rows} <= {Outcome.RELEASED, Outcome.ALREADY_GONE}
    assert world.inventory() == before
    with pytest.raises(errors.ContainerNotFound):
        world.snapshot("web")


async def test_a_running_container_needs_force(world: World) -> None:
    await world.start(name="web")
    with pytest.raises(errors.ContainerRunning):
        await clean(world, force=False)
    assert isinstance(world.snapshot("web").state, Running)


async def test_a_cleanup_without_remove_keeps_what_belongs_to_the_container(world: World) -> None:
    await world.start(name="web")
    outcome = await clean(world, remove=False)
    kept = world.snapshot("web")
    assert {resource.kind for resource in kept.resources} == {Kind.LAYER, Kind.OUTPUT}
    assert isinstance(kept.state, Exited)
    assert Kind.LAYER not in {row.resource.kind for row in outcome.rows}
    assert (await clean(world, remove=False)).rows == []
    await soon(world.verbs.starter.start("web"))


async def test_a_container_that_never_ran_is_removed(world: World) -> None:
    await world.verbs.creator.create(STAYS)
    (only,) = world.house.registry.all()
    assert isinstance(only.state, Created)
    assert (await clean(world, only.id)).complete
    assert world.house.registry.all() == []


async def test_a_start_under_way_is_preempted(world: World) -> None:
    before = world.inventory()
    with world.fake.hold("Tasks.Create") as hold:
        starting = asyncio.create_task(world.start(name="web"))
        await hold.reached()
        cleaning = asyncio.create_task(clean(world))
        await asyncio.sleep(0)
    with pytest.raises(errors.PreemptedByCleanup):
        await soon(starting)
    assert (await soon(cleaning)).complete
    assert world.inventory() == before
    assert world.house.registry.all() == []


async def test_of_two_cleanups_at_once_both_end_well(world: World) -> None:
    await world.start(name="web")
    first, second = await asyncio.gather(clean(world), clean(world))
    assert first.complete
    assert second.complete
    assert world.house.registry.all() == []


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("loss", ["request", "reply"])
async def test_a_cleanup_that_breaks_names_what_is_left_and_the_sweep_takes_it(
    world: World, call: str, loss: Literal["request", "reply"]
) -> None:
    before = world.inventory()
    await world.start(name="web")
    container = world.snapshot("web").id
    world.fake.lose(loss, call)
    if call == "Tasks.Kill":
        with pytest.raises(errors.RuntimeUnreachable):
            await clean(world)
        assert (await clean(world)).complete
    else:
        outcome = await clean(world)
        failed = [row for row in outcome.rows if row.outcome is Outcome.FAILED]
        assert failed
        assert all(row.reason for row in failed)
        left = world.snapshot(container)
        assert {item.resource for item in left.leftovers} == {row.resource for row in failed}
        assert left.intent.action is Action.REMOVE
        await world.start(name="web")  # the name was free
        await clean(world)
        await world.house.keepers.sweep.round()
    assert world.house.registry.all() == []
    assert world.inventory() == before


async def test_what_hangs_does_not_keep_the_rest(world: World) -> None:
    await world.start(name="web")
    object.__setattr__(world.house.adapters.connection, "_call_limit", 0.2)
    with world.fake.hold("Snapshots.Remove"):
        outcome = await clean(world)
    outcomes = {row.resource.kind: row.outcome for row in outcome.rows}
    assert outcomes[Kind.LAYER] is Outcome.FAILED
    assert outcomes[Kind.OUTPUT] is not Outcome.FAILED


async def test_a_caller_that_goes_away_does_not_stop_a_cleanup(world: World) -> None:
    before = world.inventory()
    await world.start(name="web")
    subject = world.house.registry.find("web")
    with world.fake.hold("Tasks.Delete") as hold:
        caller = asyncio.create_task(clean(world))
        await hold.reached()
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
    await soon(subject.until(lambda view: view.gone))
    assert world.inventory() == before


async def test_a_stop_kills_what_does_not_listen(world: World) -> None:
    world.fake.deafen(15)
    await world.start(name="web")
    outcome = await soon(world.verbs.stopper.stop("web", timeout=timedelta(milliseconds=20)))
    assert outcome.snapshot.exit is not None
    assert outcome.snapshot.exit.signal == 9
    assert not outcome.already_stopped
    assert (await soon(world.verbs.stopper.stop("web"))).already_stopped


async def test_a_stop_of_a_paused_container_is_refused(world: World) -> None:
    started = await world.start(name="web")
    await world.pause(started.id)
    with pytest.raises(errors.ContainerPaused):
        await soon(world.verbs.stopper.stop("web"))
    assert (await clean(world)).complete


async def test_a_kill_whose_exit_is_not_seen_is_an_error_and_the_next_cleanup_goes_on(
    world: World,
) -> None:
    object.__setattr__(world.verbs.stopper, "kill_limit", 0.05)
    with world.fake.hold("Tasks.Wait"):
        await world.start(name="web")
        with pytest.raises(errors.StopUnfinished):
            await clean(world)
        assert isinstance(world.snapshot("web").state, Stopping)
    assert (await clean(world)).complete


async def test_a_refused_release_is_shown_with_its_words(world: World) -> None:
    await world.start(name="web")
    world.fake.refuse("Containers.Delete", grpc.StatusCode.UNKNOWN, "no luck")
    outcome = await clean(world)
    (failed,) = [row for row in outcome.rows if row.outcome is Outcome.FAILED]
    assert failed.resource.kind is Kind.CONTAINER
    assert "no luck" in failed.reason
    await world.house.keepers.sweep.round()
    assert world.house.registry.all() == []


async def test_what_is_being_removed_is_not_started(world: World) -> None:
    await world.start(name="web")
    with world.fake.hold("Tasks.Delete") as hold:
        cleaning = asyncio.create_task(clean(world))
        await hold.reached()
        with pytest.raises(errors.ContainerRemoving):
            await soon(world.verbs.starter.start("web"))
    await soon(cleaning)


async def test_a_cleanup_without_remove_takes_what_stranded_a_container(world: World) -> None:
    before = world.inventory()
    world.fake.lose("reply", "Tasks.Create")
    world.fake.refuse("Tasks.Delete", grpc.StatusCode.UNAVAILABLE, "down", times=9)
    with pytest.raises(errors.RuntimeUnreachable):
        await world.start(name="web")
    assert isinstance(world.snapshot("web").state, Stranded)
    world.fake.forgive()
    assert (await clean(world, remove=False)).complete
    assert isinstance(world.snapshot("web").state, Exited)
    assert world.inventory() == before
