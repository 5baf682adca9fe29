"""The law: a root filesystem is seen as a container would see it, and nothing is left of a look."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from moored.containerd.values import Mount
from moored.storage import rootfs
from moored.storage.rootfs import Unseen

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.real
_LIMIT = 1000


@pytest.fixture
def layers(tmp_path: Path) -> list[Path]:
    """Three: the upper one hides a file of the lower one, and replaces another."""
    made = [tmp_path / str(number) / "fs" for number in range(3)]
    for layer in made:
        (layer / "etc").mkdir(parents=True)
    lower, middle, upper = made
    (lower / "etc/passwd").write_text("lower")
    (lower / "etc/hidden").write_text("lower")
    (middle / "etc/passwd").write_text("middle")
    (middle / "etc/absolute").symlink_to("/etc/passwd")
    (middle / "etc/out").symlink_to("../../../../../../etc/passwd")
    (middle / "etc/loop").symlink_to("loop")
    (middle / "etc/magic").symlink_to("/proc/self/root/etc/passwd")
    os.mknod(upper / "etc/hidden", stat.S_IFCHR, 0)  # a whiteout
    os.mkfifo(upper / "etc/pipe")
    return made


def _overlay(layers: Sequence[Path], work: Path) -> list[Mount]:
    *lower, upper = map(str, layers)
    options = ("index=off", f"workdir={work}", f"upperdir={upper}")
    return [Mount("overlay", "overlay", "", (*options, f"lowerdir={':'.join(reversed(lower))}"))]


def _mounts() -> str:
    return Path("/proc/self/mountinfo").read_text()


def test_layers_are_seen_as_one_and_nothing_is_mounted(layers: list[Path], tmp_path: Path) -> None:
    before, here, held = _mounts(), Path.cwd(), len(os.listdir("/proc/self/fd"))
    with rootfs.opened(_overlay(layers, tmp_path / "work")) as seen:
        assert _mounts() == before
        assert seen.read("/etc/passwd", _LIMIT) == b"middle"
        assert seen.read("/etc/passwd", 3) == b"mid"
        assert seen.stat("/etc/hidden") is None
    assert (Path.cwd(), len(os.listdir("/proc/self/fd"))) == (here, held)


def test_no_link_leads_out(layers: list[Path], tmp_path: Path) -> None:
    with rootfs.opened(_overlay(layers, tmp_path / "work")) as seen:
        assert seen.read("/etc/absolute", _LIMIT) == b"middle"
        assert seen.read("/etc/out", _LIMIT) == b"middle"
        assert seen.read("/../../etc/passwd", _LIMIT) == b"middle"
        assert seen.stat("/etc/loop") is None
        assert seen.stat("/etc/magic") is None
        assert seen.is_link("/etc/loop")
        assert not seen.is_link("/etc/passwd")
        assert not seen.is_link("/etc/none")


def test_nothing_but_a_file_is_read(layers: list[Path], tmp_path: Path) -> None:
    with rootfs.opened(_overlay(layers, tmp_path / "work")) as seen:
        assert seen.read("/etc/pipe", _LIMIT) == b""
        assert seen.read("/etc", _LIMIT) == b""
        assert seen.read("/etc/none", _LIMIT) == b""


def test_many_layers_with_long_paths_are_no_trouble(tmp_path: Path) -> None:
    far = tmp_path / ("d" * 200)
    layers = [far / f"layer-{number:03}" / "fs" for number in range(90)]
    for number, layer in enumerate(layers):
        layer.mkdir(parents=True)
        (layer / f"file-{number}").write_text("x")
    with rootfs.opened(_overlay(layers, far / "work")) as seen:
        assert all(seen.stat(f"/file-{number}") for number in range(90))


def test_a_single_directory_is_seen_too(layers: list[Path]) -> None:
    bound = Mount("bind", str(layers[0]), "", ("rbind", "rw"))
    with rootfs.opened([bound]) as seen:
        assert seen.read("/etc/passwd", _LIMIT) == b"lower"


@pytest.mark.parametrize(
    ("mounts", "why"),
    [
        ([Mount("btrfs", "/dev/x", "", ())], "made of btrfs"),
        ([], "made of nothing"),
        ([Mount("bind", "/no/such", "", ())], "No such file"),
        ([Mount("overlay", "overlay", "", ("lowerdir=/no/such:/nor/this",))], "No such file"),
    ],
)
def test_what_cannot_be_seen_is_said(mounts: list[Mount], why: str) -> None:
    with pytest.raises(Unseen, match=why), rootfs.opened(mounts):
        pass
