"""Whatever becomes of a mount, a start leaves a running container or no trace, and a cleanup ends.

Each of the kernel's calls is refused before it is done and after, and cut short by a kill.
"""

from __future__ import annotations

import asyncio
import errno
import shutil
from typing import TYPE_CHECKING

import pytest

from moored import errors
from moored.model.resources import Kind
from moored.model.state import Exited, Running, Starting, Stranded
from tests.faults.world import WITHIN, opened, soon

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.world import World


async def test_shared_memory_is_mounted_for_a_run_and_unmounted_with_it(world: World) -> None:
    before = world.inventory()
    started = await world.start(name="web", ipc="shareable")
    place = str(world.home / "state" / "shm" / f"{started.id}.1")
    assert world.fake.kernel.story == [f"tmpfs {place}"]
    await soon(world.verbs.cleaner.cleanup("web", force=True, and_remove=True))
    assert world.fake.kernel.story == [f"tmpfs {place}", f"unmount {place}"]
    assert world.inventory() == before


@pytest.mark.parametrize("done", [False, True])
async def test_a_mount_that_fails_leaves_no_trace(world: World, *, done: bool) -> None:
    before = world.inventory()
    world.fake.kernel.refuse("tmpfs", errno.ENOMEM, done=done)
    with pytest.raises(errors.MountFailed, match="shared memory") as caught:
        await world.start(name="web", ipc="shareable")
    assert caught.value.facts["step"] == "mounts"
    assert world.inventory() == before
    failed = world.snapshot("web")
    assert isinstance(failed.state, Exited)
    assert failed.resources == ()
    again = await soon(world.verbs.starter.start("web"))
    assert isinstance(again.snapshot.state, Running)


async def test_a_mount_that_is_in_use_is_detached(world: World) -> None:
    before = world.inventory()
    await world.start(name="web", ipc="shareable")
    world.fake.kernel.refuse("unmount", errno.EBUSY)
    outcome = await soon(world.verbs.cleaner.cleanup("web", force=True, and_remove=True))
    assert outcome.complete
    assert world.fake.kernel.story[-1].startswith("detach ")
    assert world.inventory() == before


async def test_a_mount_that_cannot_go_is_a_leftover_until_it_can(world: World) -> None:
    before = world.inventory()
    await world.start(name="web", ipc="shareable")
    world.fake.kernel.refuse("unmount", errno.EPERM)
    outcome = await soon(world.verbs.cleaner.cleanup("web", force=True, and_remove=False))
    (failed,) = (row for row in outcome.rows if row.resource.kind is Kind.SHM)
    assert not outcome.complete
    assert "not permitted" in failed.reason
    assert isinstance(world.snapshot("web").state, Stranded)
    await soon(world.house.keepers.sweep.round())
    assert isinstance(world.snapshot("web").state, Exited)
    await soon(world.verbs.cleaner.cleanup("web", force=True, and_remove=True))
    assert world.inventory() == before


async def test_killed_once_it_is_mounted_the_next_moored_unmounts_it(
    world: World, home: Path
) -> None:
    with world.fake.hold("Tasks.Create") as held:
        starting = asyncio.create_task(world.start(name="web", ipc="shareable"))
        await held.reached()
        assert world.inventory().mounts
        await _recovered(world, home)
        assert world.inventory().mounts == frozenset()
    starting.cancel()
    await asyncio.wait([starting])


async def test_killed_before_it_is_mounted_the_next_moored_removes_its_directory(
    world: World, home: Path
) -> None:
    with world.fake.kernel.hold("tmpfs") as reached:
        starting = asyncio.create_task(world.start(name="web", ipc="shareable"))
        assert await asyncio.to_thread(reached.wait, WITHIN)
        assert list((world.home / "state" / "shm").iterdir()) != []
        await _recovered(world, home)
    starting.cancel()
    await asyncio.wait([starting])


async def _recovered(world: World, home: Path) -> None:
    """Let a second house take over what the first one has on disk and mounted."""
    shutil.copytree(world.home / "root", home / "two" / "root")
    state = world.home / "state"
    async with opened(home / "two", world.fake, state=state) as other:
        assert isinstance(other.snapshot("web").state, Starting)
        await soon(other.house.keepers.recovery.run())
        assert other.snapshot("web").resources == ()
        assert list((state / "shm").iterdir()) == []
