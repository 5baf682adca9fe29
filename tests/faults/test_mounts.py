"""A start with mounts leaves a running container or no trace, as any start does."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from moored import errors
from moored.model.mounts import Mount, MountType
from moored.model.resources import Hold, Kind
from moored.model.state import Exited, Running
from moored.model.volumes import VolumeFilter
from tests.faults.world import STAYS, copied, soon

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.world import World

NAMED = Mount(MountType.VOLUME, "/v", source="named", no_copy=True)
ANONYMOUS = Mount(MountType.VOLUME, "/w", no_copy=True)
EVERY = VolumeFilter()


def volumes(world: World) -> list[str]:
    found = world.verbs.volumes.volumes.page("", 1000, EVERY)
    assert sorted(_directories(world)) == [volume.name for volume in found]
    return [volume.name for volume in found]


def _directories(world: World) -> list[str]:
    place = world.home / "root" / "volumes"
    return [path.name for path in place.iterdir()] if place.is_dir() else []


@pytest.mark.parametrize("call", ["Snapshots.Prepare", "Containers.Create", "Tasks.Create"])
async def test_a_start_that_breaks_takes_its_volumes_back(world: World, call: str) -> None:
    before = world.inventory()
    world.fake.lose("reply", call)
    with pytest.raises(errors.RuntimeUnreachable):
        await world.start(name="web", mounts=(NAMED, ANONYMOUS))
    assert world.inventory() == before
    assert volumes(world) == []
    assert world.snapshot("web").resources == ()
    again = await soon(world.verbs.starter.start("web"))
    assert isinstance(again.snapshot.state, Running)
    assert len(volumes(world)) == 2


async def test_a_volume_that_cannot_be_made_undoes_the_layer_that_was_under_way(
    world: World,
) -> None:
    """The reply of the layer comes after the other step has failed: it is waited for."""
    (world.home / "root" / "volumes").write_text("in the way")
    before = world.inventory()
    with world.fake.hold("Snapshots.Prepare") as hold:
        start = asyncio.ensure_future(world.start(name="web", mounts=(NAMED,)))
        await hold.reached()
    with pytest.raises(errors.StorageFailed):
        await soon(start)
    assert world.inventory() == before
    failed = world.snapshot("web")
    assert isinstance(failed.state, Exited)
    assert failed.failure is not None
    assert (failed.failure.step, failed.failure.reason) == ("mounts", "STORAGE_FAILED")


async def test_a_volume_that_another_container_uses_by_then_stays(world: World) -> None:
    """The first start made it and fails; the second has it on record, and waits for its task."""
    await world.verbs.creator.create(replace(STAYS, name="second", mounts=(NAMED,)))
    world.fake.lose("request", "Tasks.Create")
    with world.fake.hold("Containers.Create") as hold:
        first = asyncio.ensure_future(world.start(name="first", mounts=(NAMED,)))
        await hold.reached()
        second = asyncio.ensure_future(world.verbs.starter.start("second"))
        await world.until("second", lambda view: bool(view.snapshot.resources))
    outcomes = await soon(asyncio.gather(first, second, return_exceptions=True))
    assert sum(isinstance(outcome, errors.MooredError) for outcome in outcomes) == 1
    assert volumes(world) == ["named"]


async def test_a_start_that_was_cut_short_is_undone_with_its_volumes(
    world: World, home: Path
) -> None:
    with world.fake.hold("Tasks.Create") as hold:
        start = asyncio.ensure_future(world.start(name="web", mounts=(NAMED, ANONYMOUS)))
        await hold.reached()
        async with copied(world, home / "two") as other:
            assert len(volumes(other)) == 2
            await soon(other.house.keepers.recovery.run())
            assert volumes(other) == []
            assert isinstance(other.snapshot("web").state, Exited)
        start.cancel()
    await asyncio.wait([start])


async def test_what_ran_keeps_its_volumes_and_the_next_run_has_them(
    world: World, home: Path
) -> None:
    started = await world.start(name="web", mounts=(NAMED, ANONYMOUS))
    held = [r for r in started.resources if r.kind is Kind.VOLUME]
    assert {resource.hold for resource in held} == {Hold.HELD}
    await soon(world.verbs.stopper.stop("web"))
    world.fake.lose("request", "Tasks.Create")
    with pytest.raises(errors.RuntimeUnreachable):
        await world.verbs.starter.start("web")
    assert len(volumes(world)) == 2
    async with copied(world, home / "two") as other:
        assert volumes(other) == volumes(world)
        cleaner = other.verbs.cleaner
        await soon(cleaner.cleanup("web", force=True, and_remove=True, with_volumes=True))
        assert volumes(other) == ["named"]


async def test_a_removal_that_was_cut_short_still_takes_the_volumes_along(
    world: World, home: Path
) -> None:
    """That they were to go is on record with the removal itself."""
    await world.start(name="web", mounts=(ANONYMOUS,))
    await soon(world.verbs.stopper.stop("web"))
    with world.fake.hold("Snapshots.Remove") as hold:
        cleaner = world.verbs.cleaner
        work = cleaner.cleanup("web", force=True, and_remove=True, with_volumes=True)
        cleanup = asyncio.ensure_future(work)
        await hold.reached()
        async with copied(world, home / "two") as other:
            world.fake.forgive()
            await soon(other.house.keepers.recovery.run())
            assert volumes(other) == []
    await soon(cleanup)
