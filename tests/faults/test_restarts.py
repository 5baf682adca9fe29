"""What a policy asks for is done once, when it is due; who wants otherwise has the last word."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import grpc
import pytest

from moored import errors
from moored.keepers.restarts import Timers
from moored.model.events import StopRequested
from moored.model.exits import Origin
from moored.model.intent import Action, Asker, Intent
from moored.model.policy import Allowance
from moored.model.restart import FIRST_WAIT, STEADY, RestartCondition, RestartPolicy
from moored.model.spec import Spec
from moored.model.state import Exited, Restarting, Running, Stranded
from moored.verbs.gate import Gate
from moored.verbs.stop import STOP
from tests.faults.world import WITHIN, copied, soon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime, timedelta
    from pathlib import Path

    from moored.model.identity import ContainerId
    from moored.model.state import Snapshot
    from moored.saga import Clock
    from tests.faults.world import World

ALWAYS = RestartPolicy(RestartCondition.ALWAYS)
ON_FAILURE = RestartPolicy(RestartCondition.ON_FAILURE)
TWICE = RestartPolicy(RestartCondition.ON_FAILURE, 2)
UNLESS_STOPPED = RestartPolicy(RestartCondition.UNLESS_STOPPED)
BY_POLICY = Intent(Action.RUN, Asker.RESTART_POLICY)


@asynccontextmanager
async def keeping(world: World) -> AsyncIterator[None]:
    """Let the keeper of restarts run."""
    keeper = asyncio.create_task(world.house.keepers.restarts.run())
    try:
        yield
    finally:
        keeper.cancel()
        await asyncio.wait([keeper])


class Told(Timers):
    """Says when the keeper has taken what was due, and asks for more."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock=clock)
        self._asked = 0
        self.taken = asyncio.Event()

    async def next(self) -> tuple[ContainerId, datetime]:
        self._asked += 1
        if self._asked > 1:
            self.taken.set()
        return await super().next()


async def comes_due(world: World, waiting: Snapshot) -> None:
    """Let the moment come that ``waiting`` waits for, and what follows come to its end."""
    keeper = world.house.keepers.restarts
    timers = Told(keeper.clock)
    timers.arm(waiting)
    running = asyncio.create_task(replace(keeper, timers=timers).run())
    await soon(timers.taken.wait())
    running.cancel()
    await asyncio.wait([running])
    assert await world.house.owner.drain(WITHIN, undone_within=WITHIN) == 0


async def recover(world: World) -> None:
    await soon(world.house.keepers.recovery.run())


async def runs(world: World, run: int) -> Snapshot:
    view = await world.until(
        "web", lambda v: v.snapshot.run == run and isinstance(v.snapshot.state, Running)
    )
    return view.snapshot


async def waits(world: World) -> Snapshot:
    """Return the container once it waits for its restart, and nothing of its run is left."""
    await world.until("web", lambda v: isinstance(v.snapshot.state, Restarting))
    return await world.settled("web")


async def waiting(world: World, policy: RestartPolicy = ALWAYS) -> Snapshot:
    """Return a container that waits for its restart, which nobody does."""
    started = await world.start(name="web", restart_policy=policy)
    world.fake.exit(f"{started.id}.1", 1)
    return await waits(world)


async def test_a_run_that_ended_is_followed_by_another(world: World) -> None:
    started = await world.start(name="web", restart_policy=ALWAYS)
    async with keeping(world):
        world.fake.exit(f"{started.id}.1", 0)
        again = await runs(world, 2)
    assert (again.restarts, again.attempts, again.intent) == (1, 1, BY_POLICY)
    assert [key for key in world.inventory().containerd.tasks if started.id in key] == [
        f"faults/{started.id}.2"
    ]


async def test_nobody_sees_it_at_rest_in_between(world: World) -> None:
    started = await world.start(name="web", restart_policy=ALWAYS)
    subject = world.house.registry.find("web")
    rested = asyncio.ensure_future(
        subject.until(lambda v: isinstance(v.snapshot.state, Exited) or v.snapshot.run == 2)
    )
    async with keeping(world):
        world.fake.exit(f"{started.id}.1", 0)
        assert (await soon(rested)).snapshot.run == 2
        await runs(world, 2)


async def test_a_restart_waits_until_what_the_run_held_is_released(world: World) -> None:
    started = await world.start(name="web", restart_policy=ALWAYS)
    async with keeping(world):
        with world.fake.hold("Tasks.Delete") as hold:
            world.fake.exit(f"{started.id}.1", 0)
            await hold.reached()
            shown = world.snapshot("web").state
            assert isinstance(shown, Restarting)
        await runs(world, 2)
    assert world.fake.story.index(f"-task {started.id}.1") < world.fake.story.index(
        f"+task {started.id}.2"
    )


async def test_waits_double_and_a_steady_run_begins_anew(world: World) -> None:
    started = await world.start(name="web", restart_policy=ALWAYS)
    attempts: list[tuple[int, timedelta]] = []
    async with keeping(world):
        for run in range(1, 4):
            now = await runs(world, run)
            assert now.started is not None
            world.fake.exit(f"{started.id}.{run}", 1, at=now.started)
            shown = (await waits(world)).state
            if isinstance(shown, Restarting):
                attempts.append((shown.attempt, shown.due - shown.exit.at))
        last = await runs(world, 4)
        assert last.started is not None
        world.fake.exit(f"{started.id}.4", 1, at=last.started + STEADY)
        steady = (await waits(world)).state
    assert [number for number, _ in attempts] == [1, 2, 3]
    assert all(wait >= FIRST_WAIT * 2**n for n, (_, wait) in enumerate(attempts))
    assert isinstance(steady, Restarting)
    assert steady.attempt == 1
    assert last.restarts == 3


async def test_an_end_in_good_order_is_no_failure(world: World) -> None:
    started = await world.start(name="web", restart_policy=ON_FAILURE)
    world.fake.exit(f"{started.id}.1", 0)
    await world.until("web", lambda v: isinstance(v.snapshot.state, Exited))


async def test_it_gives_up_after_as_many_as_it_may(world: World) -> None:
    started = await world.start(name="web", restart_policy=TWICE)
    async with keeping(world):
        for run in (1, 2, 3):
            await runs(world, run)
            world.fake.exit(f"{started.id}.{run}", 1)
        await world.until("web", lambda v: isinstance(v.snapshot.state, Exited))
    ended = await world.settled("web")
    assert (ended.run, ended.restarts) == (3, 2)


@pytest.mark.parametrize("policy", [ALWAYS, UNLESS_STOPPED, ON_FAILURE])
async def test_a_stop_is_the_end_of_it(world: World, policy: RestartPolicy) -> None:
    await world.start(name="web", restart_policy=policy)
    await soon(world.verbs.stopper.stop("web"))
    stopped = await world.settled("web")
    assert isinstance(stopped.state, Exited)
    assert stopped.intent == STOP


async def test_a_stop_ends_the_wait(world: World) -> None:
    first = await waiting(world)
    await soon(world.verbs.stopper.stop("web"))
    await comes_due(world, first)
    assert isinstance(world.snapshot("web").state, Exited)
    assert world.snapshot("web").run == 1


async def test_a_cleanup_ends_the_wait(world: World) -> None:
    first = await waiting(world)
    await soon(world.verbs.cleaner.cleanup("web", force=False, and_remove=False))
    await comes_due(world, first)
    assert isinstance(world.snapshot("web").state, Exited)
    assert world.snapshot("web").run == 1


async def test_a_removal_ends_the_wait(world: World) -> None:
    before = world.inventory()
    first = await waiting(world)
    await soon(world.verbs.cleaner.cleanup("web", force=False, and_remove=True))
    await comes_due(world, first)
    assert world.inventory() == before


async def test_an_update_to_another_policy_ends_the_wait(world: World) -> None:
    first = await waiting(world)
    values = replace(first.spec, restart_policy=RestartPolicy())
    await soon(world.verbs.updater.update("web", values, ["restart_policy"]))
    await comes_due(world, first)
    assert isinstance(world.snapshot("web").state, Exited)
    assert world.snapshot("web").run == 1


async def test_a_start_by_hand_is_the_one_that_counts(world: World) -> None:
    first = await waiting(world)
    by_hand = (await soon(world.verbs.starter.start("web"))).snapshot
    assert (by_hand.run, by_hand.restarts, by_hand.attempts) == (2, 0, 0)
    await comes_due(world, first)
    assert world.snapshot("web").state == by_hand.state
    assert world.snapshot("web").run == 2


async def test_a_failed_start_that_a_retry_can_help_is_tried_again(world: World) -> None:
    world.fake.lose("request", "Tasks.Create")
    async with keeping(world):
        with pytest.raises(errors.RuntimeUnreachable):
            await world.start(name="web", restart_policy=ON_FAILURE)
        again = await runs(world, 2)
    assert again.restarts == 1
    assert again.failure is None


async def test_a_failed_start_that_no_retry_can_help_is_left_alone(world: World) -> None:
    with pytest.raises(errors.CommandNotFound):
        await world.start(name="web", command=("absent",), restart_policy=ALWAYS)
    failed = world.snapshot("web")
    assert isinstance(failed.state, Exited)
    assert failed.state.exit.origin is Origin.START_FAILURE


async def test_what_could_not_be_undone_goes_before_the_next_try(world: World) -> None:
    world.fake.refuse("Tasks.Create", grpc.StatusCode.UNAVAILABLE)
    world.fake.refuse("Containers.Delete", grpc.StatusCode.INTERNAL, times=1)
    with pytest.raises(errors.RuntimeUnreachable):
        await world.start(name="web", restart_policy=ALWAYS)
    assert isinstance(world.snapshot("web").state, Stranded)
    async with keeping(world):
        await soon(world.house.keepers.sweep.round())
        assert (await runs(world, 2)).leftovers == ()


async def test_a_restart_that_cannot_begin_is_given_up_in_the_open(
    world: World, home: Path
) -> None:
    """Here: the policy of the server has changed since."""
    spec = replace(_spec(), network="host", restart_policy=ALWAYS)
    admission = replace(
        world.verbs.creator.admission, allowed=lambda _: Allowance(host_network=True)
    )
    creator = replace(world.verbs.creator, admission=admission)
    starter = replace(world.verbs.starter, creator=creator)
    started = (await soon(starter.create_and_start(spec))).snapshot
    async with keeping(world):
        world.fake.exit(f"{started.id}.1", 1)
        await world.until("web", lambda v: isinstance(v.snapshot.state, Restarting))
        await world.until("web", lambda v: isinstance(v.snapshot.state, Exited))


async def test_a_server_that_comes_back_goes_on_waiting(world: World, home: Path) -> None:
    first = await waiting(world)
    async with copied(world, home / "two") as other:
        assert other.snapshot("web").state == first.state
        await recover(other)
        async with keeping(other):
            again = await runs(other, 2)
        assert (again.restarts, again.attempts) == (1, 1)
        await other.house.keepers.exits.close()


@pytest.mark.parametrize(
    ("policy", "comes_back"), [(ALWAYS, True), (UNLESS_STOPPED, False), (ON_FAILURE, False)]
)
async def test_what_was_stopped_comes_back_with_the_server_only_if_always(
    world: World, home: Path, policy: RestartPolicy, *, comes_back: bool
) -> None:
    await world.start(name="web", restart_policy=policy)
    await soon(world.verbs.stopper.stop("web"))
    async with copied(world, home / "two") as other:
        await recover(other)
        assert isinstance(other.snapshot("web").state, Restarting) is comes_back


@pytest.mark.parametrize("policy", [ALWAYS, UNLESS_STOPPED, ON_FAILURE])
async def test_what_ended_while_no_server_ran_is_started_again(
    world: World, home: Path, policy: RestartPolicy
) -> None:
    started = await world.start(name="web", restart_policy=policy)
    await world.house.keepers.exits.close()
    world.fake.exit(f"{started.id}.1", 4)
    async with copied(world, home / "two") as other:
        await recover(other)
        async with keeping(other):
            assert (await runs(other, 2)).restarts == 1
        await other.house.keepers.exits.close()


async def test_a_start_that_was_cut_short_is_begun_again(world: World, home: Path) -> None:
    with world.fake.hold("Tasks.Create") as hold:
        starting = asyncio.create_task(world.start(name="web", restart_policy=ON_FAILURE))
        await hold.reached()
        async with copied(world, home / "two") as other:
            await recover(other)
            undone = other.snapshot("web")
            assert undone.failure is not None
            assert undone.failure.reason == "INTERRUPTED"
            assert isinstance(undone.state, Restarting)
            starting.cancel()
    await asyncio.wait([starting])


async def test_a_server_that_ends_starts_nothing_more(world: World) -> None:
    first = await waiting(world)
    world.house.keepers.restarts.close()
    await comes_due(world, first)
    assert world.snapshot("web").state == first.state


async def test_a_restart_that_got_no_turn_is_tried_again(world: World) -> None:
    first = await waiting(world)
    keeper = world.house.keepers.restarts
    timers = Told(keeper.clock)
    timers.arm(first)
    crowded = replace(keeper.starter, gate=Gate(0, patience=0.01))
    running = asyncio.create_task(replace(keeper, starter=crowded, timers=timers).run())
    await soon(timers.taken.wait())
    running.cancel()
    await asyncio.wait([running])
    assert await world.house.owner.drain(WITHIN, undone_within=WITHIN) == 0
    assert world.snapshot("web").state == first.state
    assert isinstance(first.state, Restarting)
    assert await soon(timers.next()) == (first.id, first.state.due)


async def test_a_wish_that_it_stops_outlives_the_process(world: World) -> None:
    """A kill by its caller: the intent changed, and nobody waits for the end."""
    started = await world.start(name="web", restart_policy=ALWAYS)
    async with world.house.registry.claim("web") as claim:
        now = world.verbs.creator.clock.now()
        await claim.apply(StopRequested(STOP, now, waited_for=False))
    world.fake.signal(f"{started.id}.1", 15)
    await world.until("web", lambda v: isinstance(v.snapshot.state, Exited))


def _spec() -> Spec:
    return Spec(image="thing:1", name="web", command=("stays",))
