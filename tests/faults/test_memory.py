"""Want of memory is told when the kernel says so, and blamed for an exit only where it killed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from signal import SIGKILL, SIGTERM
from typing import TYPE_CHECKING

import pytest

from moored.model.events import StopRequested
from moored.model.exits import Origin
from moored.model.identity import RunId
from moored.model.state import Exited
from moored.verbs.stop import STOP
from tests.faults.world import STAYS, WITHIN, copied, soon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from moored.keepers.exits import Exits
    from moored.keepers.memory import Memory
    from moored.model.exits import Exit
    from moored.model.state import Snapshot
    from tests.faults.world import World


@dataclass
class Kernel:
    """What the cgroups of this world have counted; what was never counted is None."""

    kills: dict[str, int] = field(default_factory=dict)

    def count(self, cgroup: str) -> int | None:
        return self.kills.get(cgroup)


class Late(Kernel):
    """Counts a kill a moment after it was hinted at."""

    asked = 0

    def count(self, cgroup: str) -> int | None:
        self.asked += 1
        return int(self.asked > 1)


@pytest.fixture
def kernel() -> Kernel:
    return Kernel()


@pytest.fixture
async def exits(world: World, kernel: Kernel) -> AsyncIterator[Exits]:
    """Who sees exits, by this kernel. The one of the house looks away."""
    await world.house.keepers.exits.close()
    watcher = replace(world.house.keepers.exits, memory=memory(world, kernel), _waits={})
    yield watcher
    await watcher.close()


def memory(world: World, kernel: Kernel) -> Memory:
    return replace(world.house.keepers.hints.memory, count=kernel.count)


async def started(world: World, exits: Exits) -> Snapshot:
    snapshot = await world.start(name="web")
    await world.house.keepers.exits.close()
    exits.watch(snapshot.id, 1)
    return snapshot


async def exit_of(world: World) -> Exit:
    view = await world.until("web", lambda v: isinstance(v.snapshot.state, Exited))
    assert view.snapshot.exit is not None
    await world.settled("web")
    return view.snapshot.exit


async def test_killed_by_the_kernel_it_ends_out_of_memory(
    world: World, exits: Exits, kernel: Kernel
) -> None:
    web = await started(world, exits)
    kernel.kills[f"/faults/{web.id}.1"] = 1
    world.fake.signal(f"{web.id}.1", SIGKILL)
    exit = await exit_of(world)
    assert (exit.origin, exit.code, exit.signal) == (Origin.OOM, 137, 0)
    assert world.snapshot("web").oom_kills == 1


@pytest.mark.parametrize("kills", [None, 0])
async def test_killed_by_somebody_else_it_does_not(
    world: World, exits: Exits, kernel: Kernel, kills: int | None
) -> None:
    web = await started(world, exits)
    if kills is not None:
        kernel.kills[f"/faults/{web.id}.1"] = kills
    world.fake.signal(f"{web.id}.1", SIGKILL)
    exit = await exit_of(world)
    assert (exit.origin, exit.signal) == (Origin.SIGNAL, 9)


async def test_one_that_saw_a_child_die_and_ended_by_itself_does_not(
    world: World, exits: Exits, kernel: Kernel
) -> None:
    web = await started(world, exits)
    kernel.kills[f"/faults/{web.id}.1"] = 3
    world.fake.exit(f"{web.id}.1", 3)
    exit = await exit_of(world)
    assert (exit.origin, exit.code) == (Origin.PROCESS, 3)
    assert world.snapshot("web").oom_kills == 3


async def test_killed_by_us_it_does_not_whatever_happened_before(
    world: World, exits: Exits, kernel: Kernel
) -> None:
    web = await started(world, exits)
    kernel.kills[f"/faults/{web.id}.1"] = 1
    world.fake.deafen(SIGTERM, run=f"{web.id}.1")
    await soon(world.verbs.killer.kill("web", signal=SIGKILL))
    exit = await exit_of(world)
    assert (exit.origin, exit.signal) == (Origin.SIGNAL, 9)


async def test_killed_by_the_kernel_while_it_is_stopped_it_does(
    world: World, exits: Exits, kernel: Kernel
) -> None:
    web = await started(world, exits)
    world.fake.deafen(SIGTERM, run=f"{web.id}.1")
    stopping = asyncio.create_task(world.verbs.stopper.stop("web"))
    await world.until("web", lambda v: v.snapshot.intent == STOP)
    kernel.kills[f"/faults/{web.id}.1"] = 1
    world.fake.signal(f"{web.id}.1", SIGKILL)
    assert (await exit_of(world)).origin is Origin.OOM
    await soon(stopping)


async def test_what_an_earlier_server_may_have_killed_counts_as_ours(
    world: World, exits: Exits, kernel: Kernel, home: Path
) -> None:
    web = await started(world, exits)
    async with world.house.registry.claim("web") as claim:
        await claim.apply(StopRequested(STOP, world.verbs.creator.clock.now()))
    await exits.close()
    kernel.kills[f"/faults/{web.id}.1"] = 1
    world.fake.signal(f"{web.id}.1", SIGKILL)
    async with copied(world, home / "two") as other:
        watcher = replace(other.house.keepers.exits, memory=memory(other, kernel), _waits={})
        await soon(replace(other.house.keepers.recovery, exits=watcher).run())
        assert (await exit_of(other)).origin is Origin.SIGNAL


async def test_each_kill_is_told_once_however_often_it_is_hinted_at(
    world: World, exits: Exits, kernel: Kernel
) -> None:
    web = await started(world, exits)
    watcher = memory(world, kernel)
    run = f"{web.id}.1"
    await soon(watcher.look(run))
    kernel.kills[f"/faults/{run}"] = 1
    before = world.snapshot("web").revision
    await soon(watcher.look(run))
    await soon(watcher.look(run))
    assert world.snapshot("web").revision == before + 1
    kernel.kills[f"/faults/{run}"] = 3
    await soon(watcher.look(run))
    assert (world.snapshot("web").revision, world.snapshot("web").oom_kills) == (before + 2, 3)


async def test_a_hint_of_containerd_makes_it_look(
    world: World, exits: Exits, kernel: Kernel
) -> None:
    web = await started(world, exits)
    hints = replace(world.house.keepers.hints, memory=memory(world, kernel))
    following = asyncio.create_task(hints.run())
    try:
        await world.pause(web.id)  # somebody follows by now
        kernel.kills[f"/faults/{web.id}.1"] = 1
        world.fake.oom(f"{web.id}.1")
        view = await world.until("web", lambda v: v.snapshot.oom_kills == 1)
        assert not isinstance(view.snapshot.state, Exited)
    finally:
        following.cancel()
        await asyncio.wait([following])


async def test_a_hint_that_comes_before_the_kill_is_counted_is_not_in_vain(
    world: World, exits: Exits
) -> None:
    web = await started(world, exits)
    late = Late()
    watcher = memory(world, late)
    watcher.hint(f"{web.id}.1")
    watcher.hint(f"{web.id}.1")
    await world.until("web", lambda v: v.snapshot.oom_kills == 1)
    assert await world.house.owner.drain(WITHIN, undone_within=WITHIN) == 0
    assert late.asked <= 3  # twice, and once more to put it on record


async def test_what_was_killed_before_it_was_on_record_as_running_is_told(
    world: World, kernel: Kernel
) -> None:
    house = world.house
    watcher = replace(house.keepers.exits, memory=memory(world, kernel), _waits={})
    bring_up = replace(house.verbs.starter.bring_up, watch=watcher)
    starter = replace(house.verbs.starter, bring_up=bring_up)
    with world.fake.hold("Tasks.Start", after=True) as hold:
        starting = asyncio.create_task(starter.create_and_start(replace(STAYS, name="web")))
        await hold.reached()
        kernel.kills[f"/faults/{world.snapshot('web').id}.1"] = 1
    await soon(starting)
    await world.until("web", lambda v: v.snapshot.oom_kills == 1)
    await watcher.close()


async def test_kills_that_nobody_heard_of_are_looked_for(
    world: World, exits: Exits, kernel: Kernel
) -> None:
    web = await started(world, exits)
    kernel.kills[f"/faults/{web.id}.1"] = 2
    hints = replace(world.house.keepers.hints, memory=memory(world, kernel))
    following = asyncio.create_task(hints.run())
    try:
        await world.until("web", lambda v: v.snapshot.oom_kills == 2)
    finally:
        following.cancel()
        await asyncio.wait([following])


async def test_a_hint_about_a_stranger_or_an_old_run_changes_nothing(
    world: World, exits: Exits, kernel: Kernel
) -> None:
    web = await started(world, exits)
    watcher = memory(world, kernel)
    for run in ("stranger", RunId(f"{'0' * 32}.1"), RunId(f"{web.id}.7")):
        kernel.kills[f"/faults/{run}"] = 1
        await soon(watcher.look(run))
    assert world.snapshot("web") == replace(web, last_start=world.snapshot("web").last_start)


async def test_the_next_run_begins_with_no_kills(
    world: World, exits: Exits, kernel: Kernel
) -> None:
    web = await started(world, exits)
    kernel.kills[f"/faults/{web.id}.1"] = 1
    world.fake.exit(f"{web.id}.1", 0)
    await exit_of(world)
    assert (await soon(world.verbs.starter.start("web"))).snapshot.oom_kills == 0
