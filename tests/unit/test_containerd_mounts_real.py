"""The laws of what is removed by force: mounts come off last first, and nothing below a mount
that stays is deleted.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from moored import errors
from moored.containerd import mounts
from moored.containerd.bundles import Bundles
from moored.containerd.places import Places
from moored.containerd.traces import TASKS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.real

_NAMESPACE = "test-mounts"
_RUN = f"{'0' * 32}.1"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / "a directory"
    directory.mkdir()
    yield directory
    for point in mounts.below(tmp_path):
        mounts.unmount(point)


@pytest.fixture
def bundles(tmp_path: Path) -> Bundles:
    places = Places(str(tmp_path / "socket"), tmp_path / "root", tmp_path / "state")
    return Bundles(places, namespace=_NAMESPACE, settle=0.01, limit=0.2)


def _mount(point: Path) -> None:
    point.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "moorage-test", str(point)], check=True, timeout=10)


def test_mounts_below_a_directory_are_told_last_first(place: Path) -> None:
    _mount(place)
    _mount(place / "below")
    _mount(place.with_name("a directory beside"))
    assert mounts.below(place) == [place / "below", place]


def test_a_mount_in_use_is_taken_out_of_sight(place: Path) -> None:
    _mount(place)
    held = os.open(place, os.O_RDONLY)
    mounts.unmount(place)
    os.close(held)
    assert mounts.below(place) == []


def test_what_is_not_mounted_is_no_error(place: Path) -> None:
    mounts.unmount(place)
    mounts.unmount(place / "nothing")


async def test_a_bundle_is_removed_in_both_places_with_what_is_mounted_there(
    bundles: Bundles, place: Path
) -> None:
    bundle = place.parent / "state" / TASKS / _NAMESPACE / _RUN
    work = place.parent / "root" / TASKS / _NAMESPACE / _RUN
    _mount(bundle / "rootfs")
    _mount(bundle / "rootfs")
    work.mkdir(parents=True)
    (bundle / "work").symlink_to(work)
    (work / "file").touch()
    assert await bundles.list() == [_RUN]
    assert await bundles.remove(_RUN)
    assert await bundles.list() == []
    assert mounts.below(place.parent) == []
    assert not await bundles.remove(_RUN)


async def test_a_bundle_that_containerd_had_begun_to_remove_is_removed(
    bundles: Bundles, place: Path
) -> None:
    dying = place.parent / "state" / TASKS / _NAMESPACE / f".{_RUN}"
    dying.mkdir(parents=True)
    assert await bundles.list() == [_RUN]
    assert await bundles.remove(_RUN)
    assert await bundles.list() == []


async def test_who_still_works_in_a_bundle_is_ended(bundles: Bundles, place: Path) -> None:
    bundle = place.parent / "state" / TASKS / _NAMESPACE / _RUN
    bundle.mkdir(parents=True)
    worker = await asyncio.create_subprocess_exec("sleep", "1000", cwd=bundle)
    assert await bundles.remove(_RUN)
    assert await worker.wait() < 0


async def test_a_bundle_that_cannot_be_removed_says_why(bundles: Bundles, place: Path) -> None:
    bundle = place.parent / "state" / TASKS / _NAMESPACE / _RUN
    bundle.parent.mkdir(parents=True)
    bundle.touch()
    with pytest.raises(errors.RuntimeRefused, match=f"cannot remove bundle '{_RUN}'"):
        await bundles.remove(_RUN)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/"])
async def test_what_is_no_name_of_a_run_is_never_looked_for(bundles: Bundles, name: str) -> None:
    with pytest.raises(ValueError, match="no name of one"):
        await bundles.remove(name)
