"""The law: a cgroup is found, counted and removed in every hierarchy, and never under a process."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from moored.oci import cgroups
from moored.oci.host import CgroupMode, mode_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_V1 = """\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/mem\\040ory rw,relatime - cgroup cgroup rw,memory
36 31 0:32 / /sys/fs/cgroup/again rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
"""
_UNIFIED = "41 31 0:38 / /nowhere/unified rw,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
_SYSTEMD = "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"

real = pytest.mark.real
root = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes cgroups")


def test_each_hierarchy_is_listed_once_with_its_controllers() -> None:
    found = cgroups.parse_mounts(_V1)
    assert [str(h.root) for h in found] == [
        "/sys/fs/cgroup/cpu,cpuacct",
        "/sys/fs/cgroup/mem ory",
        "/sys/fs/cgroup/systemd",
    ]
    assert found[0].controllers == {"cpu", "cpuacct"}
    assert not any(hierarchy.unified for hierarchy in found)


@pytest.mark.parametrize(
    ("mountinfo", "mode"),
    [
        ("", CgroupMode.NONE),
        (_V1, CgroupMode.V1),
        (_UNIFIED, CgroupMode.V2),
        (_V1 + _UNIFIED, CgroupMode.HYBRID),
        (_SYSTEMD + _UNIFIED, CgroupMode.V2),
    ],
)
def test_the_mode_follows_from_what_is_mounted(mountinfo: str, mode: CgroupMode) -> None:
    assert mode_of(cgroups.parse_mounts(mountinfo)) is mode


@pytest.mark.parametrize("path", ["", "/", "a/b", "/a/../b", "/a//b", "/a/", "/.", "//"])
def test_only_a_plain_path_names_a_cgroup(path: str) -> None:
    with pytest.raises(ValueError, match="no plain absolute path"):
        cgroups.remove(path)


@pytest.fixture
def cgroup() -> Iterator[str]:
    """A cgroup two levels deep, in every hierarchy."""
    path = f"/moored-test-{uuid4().hex[:12]}"
    for hierarchy in cgroups.hierarchies():
        Path(f"{hierarchy.root}{path}/run/below").mkdir(parents=True)
    yield f"{path}/run"
    cgroups.remove(path)


@pytest.fixture
def inhabitant(cgroup: str) -> Iterator[int]:
    """A process in the cgroup below, in the one hierarchy that asks for nothing."""
    with subprocess.Popen(["sleep", "60"]) as child:
        try:
            place = _place_for_processes(cgroup) / "below"
            (place / "cgroup.procs").write_text(str(child.pid))
            yield child.pid
        finally:
            child.kill()


def _place_for_processes(cgroup: str) -> Path:
    found = cgroups.hierarchies()
    freezing = [hierarchy for hierarchy in found if "freezer" in hierarchy.controllers]
    return Path(f"{(freezing or found)[0].root}{cgroup}")


@real
@root
def test_a_cgroup_is_removed_everywhere_with_all_below(cgroup: str) -> None:
    assert len(cgroups.paths(cgroup)) == len(cgroups.hierarchies())
    assert cgroups.remove(cgroup)
    assert cgroups.paths(cgroup) == []


@real
@root
def test_removing_what_is_not_there_is_no_error(cgroup: str) -> None:
    assert not cgroups.remove(f"{cgroup}/elsewhere")


@real
@root
def test_a_cgroup_with_a_process_stays_and_names_it(cgroup: str, inhabitant: int) -> None:
    assert cgroups.alive(cgroup) == [inhabitant]
    with pytest.raises(OSError, match=f"processes {inhabitant} live in it"):
        cgroups.remove(cgroup)
    assert cgroups.paths(cgroup) == [_place_for_processes(cgroup)]


@real
@root
def test_the_parent_goes_only_when_it_is_empty(cgroup: str) -> None:
    instance = cgroup.split("/")[1]
    assert not cgroups.remove_parent_if_empty(instance)
    cgroups.remove(cgroup)
    assert cgroups.remove_parent_if_empty(instance)
    assert cgroups.paths(f"/{instance}") == []


@real
@root
def test_kills_for_want_of_memory_are_counted(cgroup: str) -> None:
    assert cgroups.oom_kills(cgroup) in (0, None)
    assert cgroups.oom_kills(f"{cgroup}/elsewhere") is None
