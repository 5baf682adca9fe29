"""The demo's image: the same bytes each time, with what a container needs in it."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING, Literal

import pytest

from demo import busybox_image
from moored.containerd.archive import Region, read_archive
from moored.containerd.layouts import read_packages
from moored.containerd.platforms import this_host
from tests.unit.tars import Bytes

if TYPE_CHECKING:
    from pathlib import Path

Form = Literal["docker", "oci"]


@pytest.fixture(autouse=True)
def _busybox_is_here() -> None:
    if not busybox_image.BUSYBOX.exists():
        pytest.fail("these tests need busybox-static")


def built(path: Path, form: Form, name: str = busybox_image.NAME) -> bytes:
    busybox_image.build(path, format=form, name=name)
    return path.read_bytes()


@pytest.mark.parametrize("form", ["docker", "oci"])
def test_it_is_the_same_each_time(tmp_path: Path, form: Form) -> None:
    assert built(tmp_path / "one", form) == built(tmp_path / "two", form)


def test_both_forms_are_one_root_filesystem(tmp_path: Path) -> None:
    layers = set()
    for form in ("docker", "oci"):
        archive = read_archive(Bytes(built(tmp_path / form, form, "localhost/x:1")))
        [found] = read_packages(archive, this_host(), "")
        assert found.names == ["localhost/x:1"]
        layers.add(found.package.layers[-1].chain_id)
    assert len(layers) == 1


def test_it_has_what_a_container_needs(tmp_path: Path) -> None:
    source = Bytes(built(tmp_path / "image", "docker"))
    [found] = read_packages(read_archive(source), this_host(), "")
    place = found.package.layers[0].blob.content
    assert isinstance(place, Region)
    layer = io.BytesIO(source.read(place.offset, place.size))
    with tarfile.open(fileobj=layer) as root:
        members = {member.name: member for member in root}
    assert members["bin/sh"].linkname == "busybox"
    assert members["bin/busybox"].mode == 0o755
    assert members["tmp"].mode == 0o1777
    for directory in ("proc", "sys", "dev", "root", "home", "var", "etc"):
        assert members[directory].isdir()
    assert {"etc/passwd", "etc/group"} < set(members)
    assert {member.mtime for member in members.values()} == {0}
    assert list(members) == sorted(members)


def test_it_is_a_command(tmp_path: Path) -> None:
    out = tmp_path / "image.tar"
    script = str(busybox_image.__file__)
    subprocess.run([sys.executable, script, out, "--format", "oci"], check=True, timeout=30)
    assert out.read_bytes() == built(tmp_path / "again", "oci")
