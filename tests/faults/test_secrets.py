"""Whatever becomes of its secrets, a start leaves a running container or no trace of them."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from moored import errors
from moored.model.secrets import Secret
from moored.model.state import Running, Starting
from tests.faults.world import WITHIN, opened, soon

if TYPE_CHECKING:
    from pathlib import Path

    from moored.model.state import Snapshot
    from tests.faults.world import World

WORD = b"very-secret-word"


def secret(world: World, name: str = "s", **fields: Any) -> Secret:
    """A secret of whoever runs these tests, who need not be root."""
    given = {"sealed": world.house.adapters.vault.seal(WORD), "size": len(WORD)}
    return Secret(name, **{**given, "uid": os.getuid(), "gid": os.getgid(), **fields})


def place(world: World) -> Path:
    return world.home / "state" / "secrets"


async def start(world: World, *secrets: Secret) -> Snapshot:
    return await world.start(name="web", secrets=secrets or (secret(world),))


async def test_they_are_there_for_the_run_and_gone_with_it(world: World) -> None:
    before = world.inventory()
    started = await start(world, secret(world, mode=0o400), secret(world, "t"))
    directory = place(world) / f"{started.id}.1"
    assert [(directory / name).read_bytes() for name in "01"] == [WORD, WORD]
    assert [(directory / name).stat().st_mode & 0o7777 for name in "01"] == [0o400, 0o444]
    await soon(world.verbs.cleaner.cleanup("web", force=True, and_remove=True))
    assert world.fake.kernel.story == [f"tmpfs {directory}", f"unmount {directory}"]
    assert world.inventory() == before


@pytest.mark.parametrize("done", [False, True])
async def test_a_mount_that_fails_leaves_no_trace(world: World, *, done: bool) -> None:
    before = world.inventory()
    world.fake.kernel.refuse("tmpfs", errno.ENOMEM, done=done)
    with pytest.raises(errors.MountFailed, match="secrets"):
        await start(world)
    assert world.inventory() == before
    assert world.snapshot("web").resources == ()
    again = await soon(world.verbs.starter.start("web"))
    assert isinstance(again.snapshot.state, Running)


async def test_an_older_kernel_is_asked_again_without_what_it_does_not_know(world: World) -> None:
    world.fake.kernel.refuse("tmpfs", errno.EINVAL)
    started = await start(world)
    assert (place(world) / f"{started.id}.1" / "0").read_bytes() == WORD
    assert [options.endswith(",noswap") for options in world.fake.kernel.options] == [True, False]


async def test_one_that_cannot_be_opened_mounts_nothing(world: World) -> None:
    before = world.inventory()
    with pytest.raises(errors.SecretUnreadable, match="was not sealed by the key"):
        await start(world, secret(world), secret(world, "t", sealed="AAAA"))
    assert world.fake.kernel.story == []
    assert world.inventory() == before


async def test_what_is_still_in_use_is_emptied_before_it_is_detached(world: World) -> None:
    started = await start(world)
    kept = (place(world) / f"{started.id}.1" / "0").open("rb")
    world.fake.kernel.refuse("unmount", errno.EBUSY)
    outcome = await soon(world.verbs.cleaner.cleanup("web", force=True, and_remove=True))
    assert outcome.complete
    with kept:
        assert kept.read() == b""


async def test_killed_once_they_are_written_the_next_moored_removes_them(
    world: World, home: Path
) -> None:
    with world.fake.hold("Tasks.Create") as held:
        starting = asyncio.create_task(start(world))
        await held.reached()
        assert world.inventory().mounts
        await _recovered(world, home)
        assert world.inventory().mounts == frozenset()
    starting.cancel()
    await asyncio.wait([starting])


async def test_killed_before_they_are_mounted_the_next_moored_removes_the_directory(
    world: World, home: Path
) -> None:
    with world.fake.kernel.hold("tmpfs") as reached:
        starting = asyncio.create_task(start(world))
        assert await asyncio.to_thread(reached.wait, WITHIN)
        await _recovered(world, home)
    starting.cancel()
    await asyncio.wait([starting])


async def _recovered(world: World, home: Path) -> None:
    shutil.copytree(world.home / "root", home / "two" / "root")
    async with opened(home / "two", world.fake, state=world.home / "state") as other:
        assert isinstance(other.snapshot("web").state, Starting)
        await soon(other.house.keepers.recovery.run())
        assert other.snapshot("web").resources == ()
        assert os.listdir(place(world)) == []
