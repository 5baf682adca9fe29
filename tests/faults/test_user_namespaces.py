"""Whatever becomes of its layers by other ids, a start leaves a running container or no trace."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from moored import errors
from moored.model.resources import Kind
from moored.model.state import Running, Starting
from tests.faults.world import STAYS, opened, soon

if TYPE_CHECKING:
    from pathlib import Path

    from moored.model.state import Snapshot
    from tests.faults.world import World


pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")


async def start(world: World) -> Snapshot:
    return await world.start(name="web", user_namespace="auto")


def ids(snapshot: Snapshot) -> list[str]:
    return [resource.key for resource in snapshot.resources if resource.kind is Kind.IDS]


async def test_it_is_mounted_for_the_task_alone_and_its_ids_are_kept(world: World) -> None:
    before = world.inventory()
    started = await start(world)
    place = world.home / "state" / "idmaps" / f"{started.id}.1" / "0"
    assert world.fake.kernel.story == [f"mapped {place}", f"unmount {place}"]
    assert world.inventory().mounts == frozenset()
    assert len(ids(world.snapshot("web"))) == 1
    await soon(world.verbs.cleaner.cleanup("web", force=True, and_remove=True))
    assert world.inventory() == before
    other = await start(world)
    assert ids(other) != ids(started)  # as long as there are others


@pytest.mark.parametrize("done", [False, True])
async def test_a_mount_that_fails_leaves_no_trace(world: World, *, done: bool) -> None:
    before = world.inventory()
    world.fake.kernel.refuse("mapped", errno.ENOMEM, done=done)
    with pytest.raises(errors.MountFailed, match="other ids"):
        await start(world)
    assert world.inventory() == before
    assert world.snapshot("web").resources == ()
    again = await soon(world.verbs.starter.start("web"))
    assert isinstance(again.snapshot.state, Running)


async def test_what_is_in_use_is_detached(world: World) -> None:
    world.fake.kernel.refuse("unmount", errno.EBUSY)
    started = await start(world)
    assert isinstance(started.state, Running)
    assert world.inventory().mounts == frozenset()


async def test_what_cannot_be_unmounted_undoes_the_start_and_is_swept(world: World) -> None:
    before = world.inventory()
    world.fake.kernel.refuse("unmount", errno.EPERM, times=2)
    with pytest.raises(errors.MountFailed, match="not permitted"):
        await start(world)
    [left] = world.snapshot("web").leftovers
    assert left.resource.kind is Kind.IDMAPS
    await soon(world.verbs.cleaner.cleanup("web", force=True, and_remove=True))
    assert world.inventory() == before


async def test_killed_while_it_is_mounted_the_next_moored_unmounts_it(
    world: World, home: Path
) -> None:
    with world.fake.hold("Tasks.Create") as held:
        starting = asyncio.create_task(start(world))
        await held.reached()
        assert world.inventory().mounts
        shutil.copytree(world.home / "root", home / "two" / "root")
        async with opened(home / "two", world.fake, state=world.home / "state") as other:
            assert isinstance(other.snapshot("web").state, Starting)
            await soon(other.house.keepers.recovery.run())
            assert other.snapshot("web").resources == ()
        assert world.inventory().mounts == frozenset()
    starting.cancel()
    await asyncio.wait([starting])


async def test_a_host_that_cannot_says_so_by_the_field_and_nothing_is_recorded(
    world: World,
) -> None:
    world.fake.kernel.unable = "its file system is odd"
    with pytest.raises(errors.InvalidField, match="odd") as refused:
        await start(world)
    assert [found.field for found in refused.value.violations] == ["spec.user_namespace"]
    spec = replace(STAYS, user_namespace="host")
    assert (await soon(world.verbs.starter.create_and_start(spec))).snapshot.resources
