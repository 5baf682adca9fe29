"""Cgroups of the host's that hold those of runs: whether one can, as the host is now.

It has to be there: one that the runtime made would limit nothing, whatever its name promises, and
nobody would remove it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from moored.errors import Violation
from moored.oci import cgroups
from moored.oci.host import CgroupMode, mode_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from moored.model.spec import Spec
    from moored.oci.cgroups import Hierarchy

_FIELD = "cgroup_parent"


def problems(spec: Spec) -> Iterator[Violation]:
    """Yield why no run can lie below the parent that ``spec`` names."""
    if spec.cgroup_parent:
        yield from faults(spec.cgroup_parent, cgroups.hierarchies())


def faults(parent: str, mounted: tuple[Hierarchy, ...]) -> Iterator[Violation]:
    missing = [h.root for h in mounted if not (h.root / parent[1:]).is_dir()]
    if missing:
        where = ", ".join(map(str, missing[:3])) + (", …" if len(missing) > 3 else "")
        yield Violation(_FIELD, f"{parent!r} is no cgroup in {where}: it has to be in each")
        return
    if mode_of(mounted) is CgroupMode.V2:  # one beside v1 controls nothing: all may live in it
        for hierarchy in mounted:
            if hierarchy.unified:
                yield from _unified(hierarchy.root / parent[1:], parent)


def _unified(place: Path, parent: str) -> Iterator[Violation]:
    with suppress(OSError):
        kind = (place / "cgroup.type").read_text().strip()
        if kind != "domain":
            yield Violation(_FIELD, f"{parent!r} is {kind}: only a domain has whole processes")
        elif (place / "cgroup.procs").read_text().strip():
            why = "has processes of its own, and in v2 what is divided among others cannot"
            yield Violation(_FIELD, f"{parent!r} {why}")
