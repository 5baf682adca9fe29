"""The law of the runtime probe: a runtime works here, or there is one line that says why not."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from moored.containerd import runtimes
from moored.containerd.values import Runtime
from moored.oci import cgroups

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.real


async def test_runc_works_and_its_probe_leaves_nothing(tmp_path: Path) -> None:
    runc = Runtime("runc", "runc")
    assert await runtimes.probe(runc, scratch=tmp_path) == ""
    assert (await runtimes.version(runc)).startswith("1.")
    assert _names(tmp_path) == []
    assert not [
        place
        for hierarchy in cgroups.hierarchies()
        for place in hierarchy.root.glob(f"moorage-probe-{os.getpid()}-*")
    ]


async def test_crun_is_refused_where_cgroups_are_mixed(tmp_path: Path) -> None:
    mounted = cgroups.hierarchies()
    if not any(each.unified and each.controllers for each in mounted) or len(mounted) == 1:
        pytest.skip("the cgroups of this host are not mixed")
    why = await runtimes.probe(Runtime("crun", "crun"), scratch=tmp_path)
    assert why.startswith("cgroups in hybrid mode not supported")


@pytest.mark.parametrize(
    ("binary", "kind", "why"),
    [
        ("nope", "io.containerd.runc.v2", "there is no program 'nope'"),
        ("/nope/runc", "io.containerd.runc.v2", "there is no program '/nope/runc'"),
        ("runc", "io.containerd.nope.v1", "there is no program 'containerd-shim-nope-v1'"),
        ("/bin/false", "io.containerd.runc.v2", "create ended with 1"),
        ("/bin/cat", "io.containerd.runc.v2", "/bin/cat: unrecognized option '--root'"),
    ],
)
async def test_what_is_no_runtime_is_named_in_one_line(
    tmp_path: Path, binary: str, kind: str, why: str
) -> None:
    said = await runtimes.probe(Runtime("odd", binary, kind), scratch=tmp_path)
    assert said.startswith(why)
    assert "\n" not in said
    assert _names(tmp_path) == []


async def test_a_program_that_says_no_version_has_none() -> None:
    assert await runtimes.version(Runtime("odd", "/bin/false")) == ""
    assert await runtimes.version(Runtime("odd", "nope")) == ""


def _names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())
