"""The verbs between a start and a cleanup: what each does in the states it meets.

What cannot be done is refused by its reason, and changes nothing; a call that is made twice is
the same as one; what the runtime says afterwards is what counts.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from signal import SIGHUP, SIGKILL, SIGTERM
from typing import TYPE_CHECKING, Literal

import grpc
import pytest

from moored import errors
from moored.model.events import RestartScheduled
from moored.model.filters import Filter
from moored.model.intent import Action, Asker, Intent
from moored.model.limits import Resources
from moored.model.restart import RestartCondition, RestartPolicy
from moored.model.spec import Spec
from moored.model.state import (
    Created,
    Exited,
    Frozen,
    Restarting,
    Running,
    Stopping,
    Stranded,
)
from moored.verbs.stop import START_AGAIN, STOP
from moored.verbs.wait import Condition
from tests.faults.world import STAYS, copied, soon

if TYPE_CHECKING:
    from pathlib import Path

    from moored.model.state import Snapshot
    from tests.faults.world import World

LONG = timedelta(hours=1)
AGAIN = RestartPolicy(RestartCondition.ALWAYS)


async def exited(world: World, reference: str = "web") -> Snapshot:
    await world.until(reference, lambda view: isinstance(view.snapshot.state, Exited))
    return await world.settled(reference)


async def waiting(world: World, policy: RestartPolicy = AGAIN) -> Snapshot:
    """Return a container whose next run is far away."""
    started = await world.start(name="web", restart_policy=policy)
    world.fake.exit(f"{started.id}.1", 7)
    await world.until("web", lambda view: isinstance(view.snapshot.state, Exited | Restarting))
    async with world.house.registry.claim("web") as claim:
        if isinstance(claim.snapshot.state, Exited):
            due = world.verbs.cleaner.clock.now() + LONG
            await claim.apply(RestartScheduled(due, 1))
        return claim.snapshot


# Pause and Resume


async def test_a_pause_freezes_and_a_resume_thaws(world: World) -> None:
    await world.start(name="web")
    paused = await soon(world.verbs.pauser.pause("web"))
    assert isinstance(paused.state, Frozen)
    assert await soon(world.verbs.pauser.pause("web")) == paused
    resumed = await soon(world.verbs.pauser.resume("web"))
    assert isinstance(resumed.state, Running)
    assert await soon(world.verbs.pauser.resume("web")) == resumed


async def test_what_has_no_process_is_not_paused(world: World) -> None:
    await world.verbs.creator.create(replace(STAYS, name="web"))
    for verb in (world.verbs.pauser.pause, world.verbs.pauser.resume):
        with pytest.raises(errors.ContainerNotRunning):
            await soon(verb("web"))


async def test_what_is_being_stopped_is_not_paused(world: World) -> None:
    world.fake.deafen(15)
    await world.start(name="web")
    stopping = asyncio.create_task(world.verbs.stopper.stop("web", timeout=LONG))
    await world.until("web", lambda view: isinstance(view.snapshot.state, Stopping))
    for verb in (world.verbs.pauser.pause, world.verbs.pauser.resume):
        with pytest.raises(errors.ContainerNotRunning):
            await soon(verb("web"))
    await soon(world.verbs.killer.kill("web"))
    await soon(stopping)


@pytest.mark.parametrize("loss", ["request", "reply"])
async def test_a_pause_whose_answer_is_lost_can_be_asked_for_again(
    world: World, loss: Literal["request", "reply"]
) -> None:
    await world.start(name="web")
    world.fake.lose(loss, "Tasks.Pause")
    with pytest.raises(errors.RuntimeUnreachable):
        await soon(world.verbs.pauser.pause("web"))
    assert isinstance((await soon(world.verbs.pauser.pause("web"))).state, Frozen)
    world.fake.lose(loss, "Tasks.Resume")
    with pytest.raises(errors.RuntimeUnreachable):
        await soon(world.verbs.pauser.resume("web"))
    assert isinstance((await soon(world.verbs.pauser.resume("web"))).state, Running)


async def test_a_pause_that_the_runtime_refuses_is_told_with_its_words(world: World) -> None:
    await world.start(name="web")
    world.fake.refuse("Tasks.Pause", grpc.StatusCode.UNKNOWN, "no freezer")
    with pytest.raises(errors.RuntimeRefused, match="no freezer"):
        await soon(world.verbs.pauser.pause("web"))
    assert isinstance(world.snapshot("web").state, Running)


async def test_a_pause_of_a_process_that_has_just_ended_says_so(world: World) -> None:
    started = await world.start(name="web")
    async with world.house.registry.claim("web"):
        pausing = asyncio.create_task(world.verbs.pauser.pause("web"))
        await asyncio.sleep(0)
        world.fake.exit(f"{started.id}.1", 7)
    with pytest.raises(errors.ContainerNotRunning):
        await soon(pausing)
    ended = await exited(world)
    assert ended.exit is not None
    assert ended.exit.code == 7


async def test_a_caller_that_goes_away_before_its_claim_has_changed_nothing(world: World) -> None:
    await world.start(name="web")
    async with world.house.registry.claim("web") as claim:
        caller = asyncio.create_task(world.verbs.pauser.pause("web"))
        await asyncio.sleep(0)
        caller.cancel()
        await asyncio.wait([caller])
        assert claim.snapshot == world.snapshot("web")
    assert (await world.settled("web")).state == claim.snapshot.state


async def test_a_pause_goes_on_when_its_caller_goes_away(world: World) -> None:
    await world.start(name="web")
    with world.fake.hold("Tasks.Pause") as hold:
        caller = asyncio.create_task(world.verbs.pauser.pause("web"))
        await hold.reached()
        stage = world.house.registry.peek("web").stage
        assert stage is not None
        assert stage.verb == "pause"
        caller.cancel()
        await asyncio.wait([caller])
    assert isinstance((await world.settled("web")).state, Frozen)
    assert world.house.registry.peek("web").stage is None


# Kill


async def test_a_kill_ends_the_process_and_nothing_starts_it_again(world: World) -> None:
    await world.start(name="web")
    killed = await soon(world.verbs.killer.kill("web"))
    assert isinstance(killed.state, Stopping)
    ended = await exited(world)
    assert ended.intent == STOP
    assert ended.exit is not None
    assert ended.exit.signal == SIGKILL
    with pytest.raises(errors.ContainerNotRunning):
        await soon(world.verbs.killer.kill("web"))


async def test_a_signal_that_is_a_message_changes_nothing(world: World) -> None:
    world.fake.deafen(SIGHUP)
    before = await world.start(name="web")
    assert await soon(world.verbs.killer.kill("web", signal=SIGHUP)) == world.snapshot("web")
    assert world.snapshot("web").intent == before.intent
    assert isinstance(world.snapshot("web").state, Running)


@pytest.mark.parametrize(("asked", "stop_signal"), [(SIGTERM, ""), (SIGHUP, "SIGHUP")])
async def test_a_signal_that_is_meant_to_end_it_is_no_stop_but_takes_the_wish_to_run(
    world: World, asked: int, stop_signal: str
) -> None:
    world.fake.deafen(asked)
    await world.start(name="web", stop_signal=stop_signal)
    killed = await soon(world.verbs.killer.kill("web", signal=asked))
    assert isinstance(killed.state, Running)
    assert killed.intent == STOP
    again = await soon(world.verbs.killer.kill("web", signal=asked))
    assert again.revision == killed.revision


async def test_a_paused_container_can_be_killed(world: World) -> None:
    await world.start(name="web")
    await soon(world.verbs.pauser.pause("web"))
    await soon(world.verbs.killer.kill("web"))
    assert (await exited(world)).exit is not None


async def test_a_kill_calls_off_the_run_to_come(world: World) -> None:
    await waiting(world)
    with pytest.raises(errors.ContainerNotRunning):
        await soon(world.verbs.killer.kill("web", signal=SIGHUP))
    assert isinstance(world.snapshot("web").state, Restarting)
    assert isinstance((await soon(world.verbs.killer.kill("web"))).state, Exited)


# Stop and Start of what waits for a restart


async def test_a_stop_calls_off_the_run_to_come(world: World) -> None:
    await waiting(world)
    stopped = await soon(world.verbs.stopper.stop("web"))
    assert not stopped.already_stopped
    assert isinstance(stopped.snapshot.state, Exited)
    assert stopped.snapshot.intent == STOP
    assert (await soon(world.verbs.stopper.stop("web"))).already_stopped


async def test_a_stop_of_what_has_ended_puts_on_record_that_it_shall_not_run(world: World) -> None:
    started = await world.start(name="web")
    world.fake.exit(f"{started.id}.1", 7)
    ended = await exited(world)
    assert ended.intent.action is Action.RUN
    stopped = await soon(world.verbs.stopper.stop("web"))
    assert stopped.already_stopped
    assert stopped.snapshot.intent == STOP
    again = await soon(world.verbs.stopper.stop("web"))
    assert again.snapshot.revision == stopped.snapshot.revision


async def test_a_start_does_not_wait_for_the_run_to_come(world: World) -> None:
    await waiting(world)
    started = await soon(world.verbs.starter.start("web"))
    assert isinstance(started.snapshot.state, Running)
    assert (started.snapshot.attempts, started.snapshot.restarts) == (0, 0)
    assert started.snapshot.intent == Intent(Action.RUN, Asker.CALLER)


@pytest.mark.parametrize("remove", [False, True])
async def test_a_cleanup_calls_off_the_run_to_come(world: World, remove: bool) -> None:
    await waiting(world)
    cleaned = await soon(world.verbs.cleaner.cleanup("web", force=False, and_remove=remove))
    assert cleaned.complete
    if remove:
        assert world.house.registry.all() == []
    else:
        assert isinstance(world.snapshot("web").state, Exited)
        assert world.snapshot("web").intent == STOP


# Restart


async def test_a_restart_ends_one_run_and_begins_the_next(world: World) -> None:
    await world.start(name="web")
    again = await soon(world.verbs.restarter.restart("web"))
    assert isinstance(again.state, Running)
    assert again.run == 2
    assert again.intent == Intent(Action.RUN, Asker.CALLER)


async def test_a_restart_of_what_does_not_run_is_a_start(world: World) -> None:
    await world.verbs.creator.create(replace(STAYS, name="web"))
    assert (await soon(world.verbs.restarter.restart("web"))).run == 1


async def test_a_restart_of_what_waits_for_one_is_a_start(world: World) -> None:
    await waiting(world)
    again = await soon(world.verbs.restarter.restart("web"))
    assert (again.run, again.restarts) == (2, 0)


async def test_no_start_comes_between_the_halves_of_a_restart(world: World) -> None:
    world.fake.deafen(15)
    await world.start(name="web")
    restarting = asyncio.create_task(world.verbs.restarter.restart("web", timeout=LONG))
    await world.until("web", lambda view: isinstance(view.snapshot.state, Stopping))
    assert world.snapshot("web").intent == START_AGAIN
    with world.fake.hold("Tasks.Delete") as hold:
        world.fake.exit(f"{world.snapshot('web').id}.1", 0)
        await hold.reached()
        other = asyncio.create_task(world.verbs.starter.start("web"))
        await asyncio.sleep(0)
    with pytest.raises(errors.ContainerStopping):
        await soon(other)
    assert (await soon(restarting)).run == 2


async def test_a_stop_has_the_last_word_over_a_restart(world: World) -> None:
    world.fake.deafen(15)
    await world.start(name="web")
    restarting = asyncio.create_task(world.verbs.restarter.restart("web", timeout=LONG))
    await world.until("web", lambda view: isinstance(view.snapshot.state, Stopping))
    stopped = await soon(world.verbs.stopper.stop("web", timeout=timedelta()))
    assert isinstance(stopped.snapshot.state, Exited)
    with pytest.raises(errors.ContainerStopping):
        await soon(restarting)
    assert isinstance(world.snapshot("web").state, Exited)


async def test_a_cleanup_has_the_last_word_over_a_restart(world: World) -> None:
    before = world.inventory()
    world.fake.deafen(15)
    await world.start(name="web")
    restarting = asyncio.create_task(world.verbs.restarter.restart("web", timeout=LONG))
    await world.until("web", lambda view: isinstance(view.snapshot.state, Stopping))
    await soon(world.verbs.cleaner.cleanup("web", force=True, and_remove=True))
    with pytest.raises(errors.MooredError):
        await soon(restarting)
    assert world.house.registry.all() == []
    assert world.inventory() == before


async def test_auto_remove_waits_for_the_run_after_a_restart(world: World) -> None:
    before = world.inventory()
    started = await world.start(auto_remove=True)
    again = await soon(world.verbs.restarter.restart(started.id))
    assert again.run == 2
    subject = world.house.registry.find(started.id)
    world.fake.exit(f"{started.id}.2", 3)
    await soon(subject.until(lambda view: view.gone))
    assert world.inventory() == before


async def test_a_restart_that_cannot_start_again_removes_what_asked_for_it(world: World) -> None:
    before = world.inventory()
    started = await world.start(auto_remove=True)
    world.fake.refuse("Tasks.Create", grpc.StatusCode.UNKNOWN, "no luck")
    with pytest.raises(errors.RuntimeRefused):
        await soon(world.verbs.restarter.restart(started.id))
    assert world.house.registry.all() == []
    assert world.inventory() == before


async def test_a_stopped_restart_removes_what_asked_for_it(world: World) -> None:
    world.fake.deafen(15)
    started = await world.start(auto_remove=True)
    restarting = asyncio.create_task(world.verbs.restarter.restart(started.id, timeout=LONG))
    await world.until(started.id, lambda view: isinstance(view.snapshot.state, Stopping))
    await soon(world.verbs.stopper.stop(started.id, timeout=timedelta()))
    with pytest.raises(errors.MooredError):
        await soon(restarting)
    assert world.house.registry.all() == []


@pytest.mark.parametrize("ended_meanwhile", [False, True])
async def test_a_restart_is_finished_by_the_service_that_comes_after(
    world: World, home: Path, *, ended_meanwhile: bool
) -> None:
    world.fake.deafen(15)
    started = await world.start(name="web", stop_timeout=LONG)
    restarting = asyncio.create_task(world.verbs.restarter.restart("web"))
    await world.until("web", lambda view: isinstance(view.snapshot.state, Stopping))
    async with copied(world, home / "two") as after:
        await world.house.owner.drain(0, undone_within=5)
        await world.house.keepers.exits.close()
        if ended_meanwhile:
            world.fake.exit(f"{started.id}.1", 0)
        await soon(after.house.keepers.recovery.run())
        if not ended_meanwhile:
            world.fake.exit(f"{started.id}.1", 0)
        await after.until("web", lambda view: view.snapshot.run == 2)
        await after.until("web", lambda view: isinstance(view.snapshot.state, Running))
        await soon(after.house.verbs.cleaner.cleanup("web", force=True, and_remove=True))
    with pytest.raises(asyncio.CancelledError):
        await restarting


# Rename


async def test_a_renamed_container_has_its_new_name_and_the_old_one_is_free(world: World) -> None:
    await world.start(name="web")
    renamed = await soon(world.verbs.renamer.rename("web", "site"))
    assert (renamed.spec.name, renamed.generation) == ("site", 2)
    assert world.snapshot("site") == renamed
    with pytest.raises(errors.ContainerNotFound):
        world.snapshot("web")
    assert await soon(world.verbs.renamer.rename("site", "site")) == renamed
    await world.start(name="web")


async def test_a_name_that_is_taken_stays_with_its_holder(world: World) -> None:
    holder = await world.start(name="web")
    await world.start(name="site")
    with pytest.raises(errors.NameTaken) as caught:
        await soon(world.verbs.renamer.rename("site", "web"))
    assert caught.value.facts["container"] == holder.id
    assert world.snapshot("site").generation == 1
    with pytest.raises(errors.InvalidField):
        await soon(world.verbs.renamer.rename("site", "a" * 32))


async def test_a_new_name_is_found_again_by_the_next_service(world: World, home: Path) -> None:
    await world.start(name="web")
    await soon(world.verbs.renamer.rename("web", "site"))
    async with copied(world, home / "two") as after:
        assert after.snapshot("site").spec.name == "site"


# Update


async def test_an_update_changes_what_was_named_and_nothing_else(world: World) -> None:
    before = await world.start(name="web", labels={"a": "b"})
    values = Spec(image="", labels={"c": "d"}, stop_signal="INT")
    updated = await soon(world.verbs.updater.update("web", values, ("labels",)))
    assert updated == replace(
        before,
        spec=replace(before.spec, labels={"c": "d"}),
        generation=2,
        revision=updated.revision,
        last_start=updated.last_start,
    )
    assert await soon(world.verbs.updater.update("web", values, ("labels",))) == updated


async def test_what_cannot_change_is_refused_by_name(world: World) -> None:
    await world.start(name="web")
    with pytest.raises(errors.InvalidField) as caught:
        await soon(world.verbs.updater.update("web", STAYS, ("labels", "image", "name")))
    fields = {found.field for found in caught.value.violations}
    assert fields == {"spec.image", "spec.name"}


@pytest.mark.parametrize(
    ("values", "field"),
    [
        (Spec(image="", stop_signal="NONE"), "stop_signal"),
        (Spec(image="", restart_policy=AGAIN), "restart_policy"),
        (Spec(image="", labels={"moorage.x": "y"}), "labels"),
    ],
)
async def test_an_update_that_breaks_a_rule_changes_nothing(
    world: World, values: Spec, field: str
) -> None:
    before = await world.start(name="web", auto_remove=True)
    with pytest.raises(errors.InvalidField) as caught:
        await soon(world.verbs.updater.update("web", values, (field,)))
    assert caught.value.violations[0].field.startswith(f"spec.{field}")
    assert world.snapshot("web").spec == before.spec


async def test_a_wait_that_the_new_policy_does_not_ask_for_ends(world: World) -> None:
    await waiting(world)
    update = world.verbs.updater.update
    kept = await soon(update("web", Spec(image="", labels={"a": "b"}), ("labels",)))
    assert isinstance(kept.state, Restarting)
    on_failure = Spec(image="", restart_policy=RestartPolicy(RestartCondition.ON_FAILURE))
    still = await soon(update("web", on_failure, ("restart_policy",)))
    assert isinstance(still.state, Restarting)
    ended = await soon(update("web", Spec(image=""), ("restart_policy",)))
    assert isinstance(ended.state, Exited)


# The etag


async def test_a_change_by_who_knows_another_spec_is_refused_and_changes_nothing(
    world: World,
) -> None:
    await world.start(name="web")
    await soon(world.verbs.updater.update("web", Spec(image="", labels={"a": "b"}), ("labels",)))
    before, house = world.snapshot("web"), world.house
    changes = (
        house.verbs.starter.start("web", generation=1),
        house.verbs.stopper.stop("web", generation=1),
        house.verbs.restarter.restart("web", generation=1),
        house.verbs.killer.kill("web", generation=1),
        house.verbs.pauser.pause("web", generation=1),
        house.verbs.pauser.resume("web", generation=1),
        house.verbs.renamer.rename("web", "site", generation=1),
        house.verbs.updater.update("web", STAYS, ("labels",), generation=1),
        house.verbs.cleaner.cleanup("web", force=True, and_remove=True, generation=1),
    )
    for change in changes:
        with pytest.raises(errors.EtagMismatch) as caught:
            await soon(change)
        assert caught.value.facts["etag"] == "2"
    assert world.snapshot("web") == before
    assert isinstance((await soon(house.verbs.pauser.pause("web", generation=2))).state, Frozen)


async def test_a_cleanup_by_who_knows_another_spec_preempts_nothing(world: World) -> None:
    with world.fake.hold("Tasks.Create") as hold:
        starting = asyncio.create_task(world.start(name="web"))
        await hold.reached()
        with pytest.raises(errors.EtagMismatch):
            await soon(
                world.verbs.cleaner.cleanup("web", force=True, and_remove=True, generation=7)
            )
    assert isinstance((await soon(starting)).state, Running)


# Wait


async def test_the_next_exit_is_none_that_was_before(world: World) -> None:
    started = await world.start(name="web")
    world.fake.exit(f"{started.id}.1", 7)
    await exited(world)
    wait = world.verbs.waiter.wait
    assert (await soon(wait("web", Condition.EXITED, timedelta()))).reached
    assert not (await soon(wait("web", Condition.NEXT_EXIT, timedelta()))).reached
    waits = asyncio.create_task(wait("web", Condition.NEXT_EXIT, LONG))
    await asyncio.sleep(0)
    await soon(world.verbs.starter.start("web"))
    assert not waits.done()
    world.fake.exit(f"{started.id}.2", 8)
    outcome = await soon(waits)
    assert outcome.reached
    assert outcome.view.snapshot.exit is not None
    assert outcome.view.snapshot.exit.code == 8


async def test_a_container_that_waits_for_its_next_run_has_not_exited(world: World) -> None:
    await waiting(world)
    assert not (await soon(world.verbs.waiter.wait("web", Condition.EXITED, timedelta()))).reached
    await soon(world.verbs.stopper.stop("web"))
    assert (await soon(world.verbs.waiter.wait("web", Condition.EXITED, timedelta()))).reached


# Prune


async def test_a_prune_takes_what_has_no_process_and_fits(world: World) -> None:
    running = await world.start(name="runs")
    ended = await world.start(name="ended", labels={"stage": "test"})
    world.fake.exit(f"{ended.id}.1", 7)
    await exited(world, "ended")
    created = await world.verbs.creator.create(replace(STAYS, name="made"))
    prune = world.verbs.pruner.prune
    assert (await soon(prune(Filter(labels=(("stage", "prod"),))))).removed == []
    assert (await soon(prune(Filter(labels=(("stage", "test"),))))).removed == [ended.id]
    assert (await soon(prune(Filter()))).removed == [created.id]
    assert [s.id for s in world.house.registry.all()] == [running.id]
    assert (await soon(prune(Filter()))).removed == []


async def test_a_prune_takes_the_stranded_and_names_what_is_left(world: World) -> None:
    before = world.inventory()
    world.fake.refuse("Tasks.Start", grpc.StatusCode.UNKNOWN, "no luck")
    world.fake.refuse("Containers.Delete", grpc.StatusCode.UNKNOWN, "no luck")
    with pytest.raises(errors.RuntimeRefused):
        await world.start(name="web")
    stranded = world.snapshot("web")
    assert isinstance(stranded.state, Stranded)
    world.fake.refuse("Containers.Delete", grpc.StatusCode.UNKNOWN, "no luck")
    outcome = await soon(world.verbs.pruner.prune(Filter()))
    assert (outcome.removed, outcome.incomplete) == ([], [stranded.id])
    await world.house.keepers.sweep.round()
    assert world.house.registry.all() == []
    assert world.inventory() == before


async def test_a_prune_leaves_what_was_started_meanwhile(world: World) -> None:
    await world.verbs.creator.create(replace(STAYS, name="web"))
    with world.fake.hold("Tasks.Create") as hold:
        starting = asyncio.create_task(world.verbs.starter.start("web"))
        await hold.reached()
        pruning = asyncio.create_task(world.verbs.pruner.prune(Filter()))
        await asyncio.sleep(0)
    assert (await soon(pruning)).removed == []
    assert isinstance((await soon(starting)).snapshot.state, Running)


async def test_a_prune_leaves_what_waits_for_its_next_run(world: World) -> None:
    await waiting(world)
    assert (await soon(world.verbs.pruner.prune(Filter()))).removed == []
    assert isinstance(world.snapshot("web").state, Restarting)


async def test_every_state_of_a_model_is_one_that_a_filter_can_name(world: World) -> None:
    created = await world.verbs.creator.create(replace(STAYS, name="web"))
    registry = world.house.registry
    fitting = Filter(
        states=frozenset({Created}),
        names=frozenset({"web", "other"}),
        images=frozenset({created.image.digest}),
        since=created.revision - 1,
    )
    assert [view.snapshot.id for view in registry.page(None, 9, fitting)] == [created.id]
    for narrower in (
        replace(fitting, states=frozenset({Exited})),
        replace(fitting, names=frozenset({"other"})),
        replace(fitting, images=frozenset({"other"})),
        replace(fitting, since=created.revision),
        replace(fitting, labels=(("a", None),)),
    ):
        assert registry.page(None, 9, narrower) == []


_LIMITED = Spec(image="", resources=Resources(pids_limit=7, memory_limit=2**24))
_UPDATE = "Tasks.Update"


async def test_new_limits_hold_for_a_run_under_way_before_they_are_on_record(world: World) -> None:
    started = await world.start(name="web")
    hold = world.fake.hold(_UPDATE)
    update = asyncio.create_task(
        world.verbs.updater.update("web", _LIMITED, ("resources.pids_limit",))
    )
    await soon(hold.reached())
    assert world.snapshot("web") == started
    hold.release()
    updated = await soon(update)
    assert updated.spec.resources == Resources(pids_limit=7)
    assert updated.generation == started.generation + 1


@pytest.mark.parametrize("lost", ["request", "reply"])
async def test_limits_whose_answer_was_lost_are_not_on_record_and_can_be_asked_for_again(
    world: World, lost: Literal["request", "reply"]
) -> None:
    started = await world.start(name="web")
    world.fake.lose(lost, _UPDATE)
    update = world.verbs.updater.update
    with pytest.raises(errors.RuntimeUnreachable):
        await soon(update("web", _LIMITED, ("resources",)))
    assert world.snapshot("web") == started
    assert (await soon(update("web", _LIMITED, ("resources",)))).spec.resources.pids_limit == 7


async def test_limits_that_the_runtime_refuses_change_nothing(world: World) -> None:
    started = await world.start(name="web")
    world.fake.refuse(_UPDATE, grpc.StatusCode.UNKNOWN, "device or resource busy")
    with pytest.raises(errors.RuntimeRefused, match="busy"):
        await soon(world.verbs.updater.update("web", _LIMITED, ("resources",)))
    assert world.snapshot("web") == started


async def test_limits_of_what_does_not_run_ask_no_runtime(world: World) -> None:
    await soon(world.verbs.creator.create(replace(STAYS, name="web")))
    world.fake.refuse(_UPDATE, grpc.StatusCode.UNKNOWN, "must not be asked")
    updated = await soon(world.verbs.updater.update("web", _LIMITED, ("resources",)))
    assert updated.spec.resources == _LIMITED.resources


async def test_limits_that_no_run_under_way_can_get_are_refused(world: World) -> None:
    await world.start(name="web")
    huge = Spec(image="", resources=Resources(nano_cpus=10**13))
    with pytest.raises(errors.InvalidField, match="nano_cpus"):
        await soon(world.verbs.updater.update("web", huge, ("resources",)))
