"""The rows of docs/recovery.md that need more than a kill of moored end as the table says."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from moored.ledger import reading, records
from moored.model.exits import Origin
from moored.model.identity import RunId
from moored.model.restart import RestartCondition, RestartPolicy
from moored.model.state import Exited, Frozen, Restarting, Running, Starting
from tests.faults.world import copied, opened, soon
from tests.unit.samples import AT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from moored.model.state import Snapshot
    from tests.faults.world import World


async def recover(world: World) -> None:
    await soon(world.house.keepers.recovery.run())


def copy(world: World, home: Path, change: Callable[[Snapshot], Snapshot]) -> Path:
    """Return a home with the ledger of ``world``, in which each record is as ``change`` has it."""
    shutil.copytree(world.home / "root", home / "root")
    path = home / "root" / "ledger.db"
    known = reading.read(path).containers
    with closing(sqlite3.connect(path)) as database:
        for after in map(change, known):
            database.execute(
                "UPDATE containers SET record = ? WHERE id = ?", (records.write(after), after.id)
            )
        database.commit()
    return home


def rebooted(home: Path) -> Path:
    with closing(sqlite3.connect(home / "root" / "ledger.db")) as database:
        database.execute("UPDATE host SET boot_id = 'another'")
        database.commit()
    return home


@pytest.mark.parametrize("condition", [RestartCondition.NEVER, RestartCondition.ALWAYS])
async def test_after_a_reboot_what_ran_is_over_by_it_and_restarts_where_its_policy_says_so(
    world: World, home: Path, condition: RestartCondition
) -> None:
    policy = RestartPolicy(condition)
    started = await world.start(name="web", restart_policy=policy)
    await world.house.keepers.exits.close()
    run = f"{started.id}.1"
    world.fake.exit(run, 0)
    await world.house.adapters.tasks.delete(RunId(run))
    place = rebooted(copy(world, home / "two", lambda same: same))
    async with opened(place, world.fake) as other:
        await recover(other)
        ended = other.snapshot("web")
        assert ended.exit is not None
        assert (ended.exit.origin, ended.exit.code) == (Origin.HOST_REBOOT, 255)
        again = condition is RestartCondition.ALWAYS
        assert isinstance(ended.state, Restarting if again else Exited)
        assert all(resource.kept for resource in ended.resources)


async def test_what_is_found_paused_or_resumed_is_what_is_found(world: World, home: Path) -> None:
    await world.start(name="web")
    await soon(world.verbs.pauser.pause("web"))
    async with copied(world, home / "two") as other:
        await recover(other)
        frozen = other.snapshot("web")
        assert isinstance(frozen.state, Frozen)
    async with copied(world, home / "three") as other:
        await other.house.adapters.tasks.resume(RunId(f"{frozen.id}.1"))
        await recover(other)
        assert isinstance(other.snapshot("web").state, Running)


async def test_an_end_that_was_cut_short_is_brought_to_its_end(world: World, home: Path) -> None:
    started = await world.start(name="web")
    with world.fake.hold("Tasks.Delete") as hold:
        world.fake.exit(f"{started.id}.1", 3)
        await hold.reached()
        async with copied(world, home / "two") as other:
            assert isinstance(other.snapshot("web").state, Exited)
            hold.release()
            await recover(other)
            ended = other.snapshot("web")
            assert ended.exit is not None
            assert ended.exit.code == 3
            assert all(resource.kept for resource in ended.resources)
    assert world.fake.inventory().tasks == frozenset()


async def test_a_run_on_record_whose_process_never_began_is_undone(
    world: World, home: Path
) -> None:
    with world.fake.hold("Tasks.Start") as hold:
        starting = asyncio.create_task(world.start(name="web"))
        await hold.reached()

        def as_running(before: Snapshot) -> Snapshot:
            assert isinstance(before.state, Starting)
            return replace(before, state=Running(0, 0, AT))

        place = copy(world, home / "two", as_running)
        async with opened(place, world.fake) as other:
            await recover(other)
            ended = other.snapshot("web")
            assert ended.exit is not None
            assert (ended.exit.origin, ended.exit.code) == (Origin.UNKNOWN, 255)
            assert all(resource.kept for resource in ended.resources)
            assert world.fake.inventory().tasks == frozenset()
    await asyncio.wait([starting])


async def test_one_that_cannot_be_mended_yet_keeps_no_other_waiting(
    world: World, home: Path
) -> None:
    first = await world.start(name="first")
    await world.start(name="second")
    await world.house.keepers.exits.close()
    world.fake.exit(f"{first.id}.1", 4)
    async with copied(world, home / "two") as other:
        with world.fake.hold("Tasks.Delete") as hold:
            recovering = asyncio.create_task(other.house.keepers.recovery.run())
            await hold.reached()
            await soon(other.house.registry.find("second").recovered.wait())
            assert not other.house.registry.find("first").recovered.is_set()
        await soon(recovering)
        ended = other.snapshot("first").exit
        assert ended is not None
        assert ended.code == 4
