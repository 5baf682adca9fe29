"""cgroups, mounts, namespaces, links and sockets, as the kernel lists them."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_CGROUPS: Final = Path("/sys/fs/cgroup")
_MOUNTS: Final = Path("/proc/self/mountinfo")
_UNIX_SOCKETS: Final = Path("/proc/net/unix")
_NAMED_NAMESPACES: Final = Path("/run/netns")
_LISTENING: Final = "00010000"
_ANSWER_WITHIN: Final = 10.0
_RULES: Final = re.compile(r"moored-[a-z0-9-]+")


def hierarchies() -> list[Path]:
    """Return every cgroup hierarchy's root: all of v1's and v2's beside them, or v2's alone."""
    if (_CGROUPS / "cgroup.procs").exists():
        return [_CGROUPS]
    return [path for path in _CGROUPS.iterdir() if (path / "cgroup.procs").exists()]


def cgroups(instances: Iterable[str]) -> frozenset[str]:
    """Cgroups of runs. The instance's own, which holds them, stays as long as it is wanted."""
    return frozenset(str(path) for path in _cgroup_directories(instances))


def instance_cgroups(instances: Iterable[str]) -> frozenset[str]:
    """What holds the cgroups of an instance's runs: without any, its moored takes it along."""
    places = [hierarchy / instance for hierarchy in hierarchies() for instance in instances]
    return frozenset(str(place) for place in places if place.exists())


def grouped_processes(instances: Iterable[str]) -> dict[int, str]:
    """Return the processes in cgroups of runs, each with where it is."""
    return {
        pid: f"{pid} {path}" for path in _cgroup_directories(instances) for pid in _members(path)
    }


def mounts(directory: Path) -> frozenset[str]:
    """Mounts at or below ``directory``."""
    points = (line.split(" ")[4] for line in _MOUNTS.read_text().splitlines())
    return frozenset(point for point in points if _is_below(point, directory))


def named_net_namespaces(instances: Iterable[str]) -> frozenset[str]:
    names = [path.name for path in _NAMED_NAMESPACES.glob("*")]
    return frozenset(name for name in names for instance in instances if instance in name)


def links(instances: Iterable[str]) -> frozenset[str]:
    """Network links of the host that carry an instance's name, or say that they are its."""
    listing = subprocess.run(
        ["ip", "-json", "link"], capture_output=True, text=True, timeout=_ANSWER_WITHIN, check=True
    )
    marks = [f"{link['ifname']} {link.get('ifalias', '')}" for link in json.loads(listing.stdout)]
    return frozenset(mark for mark in marks for instance in instances if instance in mark)


def rules(instances: Iterable[str]) -> frozenset[str]:
    """Tables of instances, and rules of theirs in the tables of others."""
    listing = subprocess.run(
        ["nft", "--stateless", "list", "ruleset"],
        capture_output=True,
        text=True,
        timeout=_ANSWER_WITHIN,
        check=True,
    )
    names = frozenset(_RULES.findall(listing.stdout))
    return names & {f"moored-{instance}" for instance in instances}


def unix_sockets(directory: Path) -> frozenset[str]:
    """Sockets that somebody listens on below ``directory``."""
    rows = (line.split(maxsplit=7) for line in _UNIX_SOCKETS.read_text().splitlines()[1:])
    return frozenset(
        row[7]
        for row in rows
        if len(row) == 8 and row[3] == _LISTENING
        if _is_below(row[7], directory)
    )


def _cgroup_directories(instances: Iterable[str]) -> Iterator[Path]:
    for hierarchy in hierarchies():
        for instance in instances:
            for place, names, _ in os.walk(hierarchy / instance):
                yield from (Path(place, name) for name in names)
            for parent in _parents_of_tests(hierarchy):
                yield from parent.glob(f"{instance}-*")


def _parents_of_tests(hierarchy: Path) -> list[Path]:
    """Cgroups that tests gave runs to lie in, as their names say."""
    return [path for path in hierarchy.iterdir() if path.name.startswith("moored-parent-")]


def _members(cgroup: Path) -> list[int]:
    try:
        return [int(pid) for pid in (cgroup / "cgroup.procs").read_text().split()]
    except OSError:  # gone meanwhile
        return []


def _is_below(path: str, directory: Path) -> bool:
    return Path(path).is_relative_to(directory)
