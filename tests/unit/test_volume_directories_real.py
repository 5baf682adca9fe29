"""A volume is whole or not there: what was cut short is gone on with, or begun again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from moored.containerd.values import Mount
from moored.storage.volumes import VolumeDirectories

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.real


class CutShort(Exception):
    pass


def after(calls: int) -> Callable[[], None]:
    """Return what lets so many calls pass, and then cuts short."""
    left = iter(range(calls))

    def go_on() -> None:
        if next(left, None) is None:
            raise CutShort

    return go_on


def unhurried() -> None:
    return None


@pytest.fixture
def image(tmp_path: Path) -> list[Mount]:
    """An image of two layers with eight entries at /data."""
    lower, upper = tmp_path / "lower", tmp_path / "upper"
    (lower / "data" / "deep" / "er").mkdir(parents=True)
    (upper / "data").mkdir(parents=True)
    for number in range(4):
        (lower / "data" / f"f{number}").write_text(str(number))
    (lower / "data" / "deep" / "er" / "x").write_text("x")
    (upper / "data" / "sparse").write_bytes(b"")
    os.truncate(upper / "data" / "sparse", 2**30)
    os.chown(upper / "data", 7, 8)
    return [Mount("overlay", "overlay", "", (f"lowerdir={upper}:{lower}",))]


@pytest.fixture
def directories(tmp_path: Path) -> VolumeDirectories:
    (tmp_path / "root").mkdir()
    return VolumeDirectories(tmp_path / "root")


def listed(path: str) -> set[str]:
    return {
        os.path.relpath(os.path.join(place, name), path)
        for place, directories, files in os.walk(path)
        for name in (*directories, *files)
    }


WHOLE = {"f0", "f1", "f2", "f3", "deep", "deep/er", "deep/er/x", "sparse"}


@pytest.mark.parametrize("calls", range(0, 16, 3))
def test_a_copy_that_was_cut_short_shows_nothing_and_is_done_again(
    directories: VolumeDirectories, image: list[Mount], calls: int
) -> None:
    data = directories.path("v")
    try:
        directories.fill("v", image, "/data", after(calls))
    except CutShort:
        assert listed(data) in (set(), WHOLE)
    directories.fill("v", image, "/data", unhurried)
    assert listed(data) == WHOLE
    assert (os.stat(data).st_uid, os.stat(data).st_gid) == (7, 8)
    assert os.listdir(os.path.dirname(data)) == ["data"]


def test_a_copy_that_was_complete_is_delivered_whole_after_a_crash(
    directories: VolumeDirectories, image: list[Mount], tmp_path: Path
) -> None:
    """It was on its way: some had been moved, and a container has put something there itself."""
    directories.fill("v", image, "/data", unhurried)
    home = tmp_path / "root" / "volumes" / "v"
    (home / "full").mkdir()
    (home / "data" / "f0").rename(home / "full" / "f0")
    (home / "full" / "f1").write_text("the image's")
    directories.settle("v", unhurried)
    assert listed(directories.path("v")) == WHOLE
    assert (home / "data" / "f1").read_text() == "1"
    assert os.listdir(home) == ["data"]


def test_holes_stay_holes(directories: VolumeDirectories, image: list[Mount]) -> None:
    directories.fill("v", image, "/data", unhurried)
    found = os.stat(os.path.join(directories.path("v"), "sparse"))
    assert found.st_size == 2**30
    assert found.st_blocks * 512 < 2**20


def test_what_the_image_does_not_have_leaves_the_volume_empty(
    directories: VolumeDirectories, image: list[Mount]
) -> None:
    for inside in ("/nowhere", "/data/f0", "/data/../../etc/nowhere"):
        directories.fill("v", image, inside, unhurried)
        assert listed(directories.path("v")) == set()


def test_a_removal_that_was_cut_short_goes_on_where_it_stood(
    directories: VolumeDirectories, tmp_path: Path
) -> None:
    directories.make("v")
    deep = directories.path("v")
    for _ in range(100):
        deep += "/d"
        os.mkdir(deep)
        with open(f"{deep}/f", "w"):
            pass
    directories.discard("v")
    assert not directories.is_there("v")
    for _ in range(50):
        assert directories.abandoned() == {"v"}
        with pytest.raises(CutShort):
            directories.empty_trash("v", after(3))
    directories.empty_trash("v", unhurried)
    assert directories.abandoned() == set()
    assert os.listdir(tmp_path / "root" / "trash") == []


def test_a_volume_of_the_same_name_is_not_touched_by_an_old_removal(
    directories: VolumeDirectories,
) -> None:
    directories.make("v")
    directories.discard("v")
    directories.make("v")
    with open(os.path.join(directories.path("v"), "new"), "w"):
        pass
    directories.empty_trash("v", unhurried)
    assert listed(directories.path("v")) == {"new"}
