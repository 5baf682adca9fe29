"""After a kill of moored: what the ledger says and what containerd says become one again.

The second house opens a copy of what the first had on disk at that moment.
"""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from moored import errors
from moored.model.exits import Origin
from moored.model.identity import RunId
from moored.model.state import Exited, Removing, Running, Starting, Stopping
from tests.faults.world import STAYS, copied, opened, soon

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.world import World


async def recover(world: World) -> None:
    await soon(world.house.keepers.recovery.run())


async def test_a_running_container_is_found_again_and_followed(world: World, home: Path) -> None:
    started = await world.start(name="web")
    async with copied(world, home / "two") as other:
        await recover(other)
        assert other.snapshot("web").state == started.state
        world.fake.exit(f"{started.id}.1", 5)
        view = await other.until("web", lambda seen: isinstance(seen.snapshot.state, Exited))
        assert view.snapshot.exit is not None
        assert view.snapshot.exit.code == 5
        await other.settled("web")


async def test_an_exit_that_happened_meanwhile_shows_its_true_code(
    world: World, home: Path
) -> None:
    started = await world.start(name="web")
    await world.house.keepers.exits.close()
    world.fake.exit(f"{started.id}.1", 6)
    async with copied(world, home / "two") as other:
        await recover(other)
        ended = other.snapshot("web")
        assert ended.exit is not None
        assert (ended.exit.code, ended.exit.origin) == (6, Origin.PROCESS)
    assert world.fake.inventory().tasks == frozenset()


@pytest.mark.parametrize("call", ["Snapshots.Prepare", "Containers.Create", "Tasks.Create"])
@pytest.mark.parametrize("after", [False, True])
async def test_a_start_that_was_cut_short_is_undone(
    world: World, home: Path, call: str, *, after: bool
) -> None:
    before = world.inventory().containerd
    with world.fake.hold(call, after=after) as hold:
        starting = asyncio.create_task(world.start(name="web"))
        await hold.reached()
        async with copied(world, home / "two") as other:
            assert isinstance(other.snapshot("web").state, Starting)
            await recover(other)
            undone = other.snapshot("web")
            assert undone.failure is not None
            assert undone.failure.reason == "INTERRUPTED"
            assert undone.resources == ()
            assert undone.leftovers == ()
            assert world.fake.inventory() == before
            starting.cancel()
    await asyncio.wait([starting])


async def test_a_start_that_only_lacked_its_record_is_rolled_forward(
    world: World, home: Path
) -> None:
    with world.fake.hold("Tasks.Start", after=True) as hold:
        starting = asyncio.create_task(world.start(name="web"))
        await hold.reached()
        async with copied(world, home / "two") as other:
            await recover(other)
            assert isinstance(other.snapshot("web").state, Running)
    await soon(starting)


async def test_a_run_that_nobody_saw_end_is_unknown_and_not_zero(world: World, home: Path) -> None:
    started = await world.start(name="web")
    await world.house.keepers.exits.close()
    run = f"{started.id}.1"
    world.fake.exit(run, 0)
    async with copied(world, home / "two") as other:
        await other.house.adapters.tasks.delete(RunId(run))
        await recover(other)
        ended = other.snapshot("web")
        assert ended.exit is not None
        assert ended.exit.origin is Origin.UNKNOWN
        assert ended.exit.code != 0


async def test_a_removal_that_was_cut_short_goes_on(world: World, home: Path) -> None:
    await world.start(name="web")
    with world.fake.hold("Snapshots.Remove") as hold:
        cleaning = asyncio.create_task(
            world.verbs.cleaner.cleanup("web", force=True, and_remove=True)
        )
        await hold.reached()
        async with copied(world, home / "two") as other:
            assert isinstance(other.snapshot("web").state, Removing)
            hold.release()
            await recover(other)
            assert other.house.registry.all() == []
    await soon(cleaning)
    assert world.fake.inventory().is_bare


async def test_recovery_waits_for_a_containerd_that_is_down(world: World, home: Path) -> None:
    started = await world.start(name="web")
    async with copied(world, home / "two") as other:
        object.__setattr__(other.house.adapters.connection, "_call_limit", 0.1)
        await world.fake.stop()
        recovering = asyncio.create_task(other.house.keepers.recovery.run())
        assert other.snapshot("web").state == started.state
        await world.fake.restart()
        await soon(recovering)
        assert isinstance(other.snapshot("web").state, Running)


async def test_a_stop_that_was_under_way_goes_on(world: World, home: Path) -> None:
    world.fake.deafen(15)
    await world.start(name="web", stop_timeout=timedelta(milliseconds=50))
    with world.fake.hold("Tasks.Kill", times=9):
        stopping = asyncio.create_task(world.verbs.stopper.stop("web"))
        await world.until("web", lambda seen: isinstance(seen.snapshot.state, Stopping))
        async with copied(world, home / "two") as other:
            world.fake.forgive()
            await recover(other)
            view = await other.until("web", lambda seen: isinstance(seen.snapshot.state, Exited))
            assert view.snapshot.exit is not None
            assert view.snapshot.exit.signal == 9
            await other.settled("web")
    await soon(stopping)


async def test_a_change_waits_for_the_recovery_of_its_own_container_only(
    world: World, home: Path
) -> None:
    await world.verbs.creator.create(replace(STAYS, name="rests"))
    with world.fake.hold("Tasks.Start", after=True) as hold:
        starting = asyncio.create_task(world.start(name="web"))
        await hold.reached()
        async with copied(world, home / "two") as other:
            again = asyncio.create_task(other.verbs.starter.start("web"))
            assert (await soon(other.verbs.starter.start("rests"))).snapshot.run == 1
            assert not again.done()
            await recover(other)
            outcome = await soon(again)
            assert outcome.already_running
            assert outcome.snapshot.run == 1
            await soon(other.verbs.stopper.stop("rests", timeout=timedelta()))
    await soon(starting)


async def test_a_change_of_what_cannot_be_recovered_is_refused_in_time(
    world: World, home: Path
) -> None:
    await world.start(name="web")
    shutil.copytree(world.home / "root", home / "two" / "root")
    async with opened(home / "two", world.fake, step_timeout=0.2) as other:
        before = other.snapshot("web")
        with pytest.raises(errors.RuntimeUnreachable, match="is not known"):
            await soon(other.verbs.cleaner.cleanup("web", force=True, and_remove=True))
        assert other.snapshot("web") == before
