"""The cgroups of runs, in every hierarchy that is mounted here.

A run's cgroup has the same path in each: on a v1 or hybrid host that is one directory per
controller. Nothing here ends a process: a cgroup that has some is reported with their pids.
"""

from __future__ import annotations

import errno
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_MOUNTS: Final = Path("/proc/self/mountinfo")
_ESCAPE: Final = re.compile(r"\\([0-7]{3})")
_CHILDLESS: Final = 2
_PROCESSES: Final = "cgroup.procs"


@dataclass(frozen=True)
class Hierarchy:
    root: Path
    """Where it is mounted."""
    controllers: frozenset[str]
    """Of v1: controllers, or ``name=…``. Of v2: what its root offers to its children."""
    unified: bool

    @property
    def stands(self) -> bool:
        """Whether it is still mounted where it was found."""
        return (self.root / _PROCESSES).exists()


def hierarchies() -> tuple[Hierarchy, ...]:
    """Return every hierarchy once. Remembered; read again as soon as one of them is gone."""
    found = _mounted()
    if found and all(hierarchy.stands for hierarchy in found):
        return found
    _mounted.cache_clear()
    return _mounted()


def paths(cgroup: str) -> list[Path]:
    """Return where ``cgroup`` is in each hierarchy that has it."""
    relative = _relative(cgroup)
    places = (hierarchy.root / relative for hierarchy in hierarchies())
    return [place for place in places if place.is_dir()]


def alive(cgroup: str) -> list[int]:
    """Return the pids of all processes in ``cgroup`` and below. 0 is one we cannot see."""
    return sorted({pid for place in paths(cgroup) for pid in _pids_below(place)})


def below(cgroup: str) -> set[str]:
    """Return the names of what is directly below ``cgroup``, in any hierarchy."""
    return {child.name for place in paths(cgroup) for child in place.iterdir() if child.is_dir()}


def named(is_named: Callable[[str], bool]) -> set[str]:
    """Return every cgroup of any hierarchy the last part of whose path ``is_named`` accepts.

    What lies in one of them is not looked at. On a host with many cgroups this takes a while.
    """
    return named_in(hierarchies(), is_named)


def named_in(mounted: Iterable[Hierarchy], is_named: Callable[[str], bool]) -> set[str]:
    return {
        f"/{place.relative_to(hierarchy.root)}"
        for hierarchy in mounted
        for place in _named_below(hierarchy.root, is_named)
    }


def remove(cgroup: str) -> bool:
    """Remove ``cgroup`` with all below it everywhere, and return whether there was any.

    Raises OSError, with the reason, for what had to stay; the rest is removed all the same.
    """
    places = paths(cgroup)
    refusals = [refusal for place in places for refusal in _removal_refusals(place)]
    if not refusals:
        return bool(places)
    pids = alive(cgroup)
    why = f"processes {', '.join(map(str, pids))} live in it" if pids else str(refusals[0])
    raise OSError(refusals[0].errno, f"cannot remove cgroup {cgroup!r}: {why}")


def remove_parent_if_empty(instance: str) -> bool:
    """Remove the cgroup above an instance's runs wherever it is empty.

    Only for when no start is under way: the runtime may just have made it to put a run there.
    """
    removed = False
    for place in paths(f"/{instance}"):
        with suppress(OSError):
            place.rmdir()
            removed = True
    return removed


def oom_kills(cgroup: str) -> int | None:
    """Return how often the kernel killed in ``cgroup`` for want of memory; None: not counted."""
    for place in paths(cgroup):
        for name in ("memory.events", "memory.oom_control"):
            with suppress(OSError):
                for line in (place / name).read_text().splitlines():
                    key, _, count = line.partition(" ")
                    if key == "oom_kill":
                        return int(count)
    return None


def _relative(cgroup: str) -> str:
    parts = cgroup.split("/")
    if not cgroup.startswith("/") or not all(parts[1:]) or {".", ".."} & set(parts):
        raise ValueError(f"cannot use cgroup {cgroup!r}: it is no plain absolute path")
    return cgroup[1:]


def _named_below(root: Path, is_named: Callable[[str], bool]) -> Iterator[Path]:
    waiting = [root]
    while waiting:
        place = waiting.pop()
        for child in _children(place):
            if is_named(child.name):
                yield child
            else:
                waiting.append(child)


def _children(place: Path) -> list[Path]:
    """Return what is directly below; most cgroups have nothing, as their count of links tells."""
    try:
        if place.stat().st_nlink == _CHILDLESS:
            return []
        return [place / entry.name for entry in os.scandir(place) if _is_directory(entry)]
    except OSError:  # it is just being removed
        return []


def _is_directory(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False)


def _pids_below(place: Path) -> Iterator[int]:
    for directory, _, _ in os.walk(place):
        yield from _pids(Path(directory))


def _pids(directory: Path) -> list[int]:
    for name in (_PROCESSES, "cgroup.threads"):
        try:
            return [int(line) for line in (directory / name).read_text().split()]
        except FileNotFoundError:
            return []
        except OSError as error:
            # A threaded cgroup lists threads only; one removed while it is read, nothing.
            if error.errno not in (errno.EOPNOTSUPP, errno.ENODEV):
                raise
    return []


def _removal_refusals(place: Path) -> Iterator[OSError]:
    for directory, _, _ in os.walk(place, topdown=False):
        try:
            Path(directory).rmdir()
        except FileNotFoundError:
            pass
        except OSError as error:
            yield error


@cache
def _mounted() -> tuple[Hierarchy, ...]:
    return parse_mounts(_MOUNTS.read_text())


def parse_mounts(mountinfo: str) -> tuple[Hierarchy, ...]:
    """Return the hierarchies that ``mountinfo`` (proc_pid_mountinfo(5)) lists, each once."""
    found: dict[str, Hierarchy] = {}
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        if right.startswith(("cgroup ", "cgroup2 ")):
            device, _, mount_point = left.split()[2:5]
            kind, _, options = right.split(maxsplit=2)
            root = Path(_ESCAPE.sub(lambda match: chr(int(match[1], 8)), mount_point))
            found.setdefault(device, _hierarchy(root, kind, options))
    return tuple(found.values())


def _hierarchy(root: Path, kind: str, options: str) -> Hierarchy:
    if kind == "cgroup":
        return Hierarchy(root, frozenset(options.split(",")) - {"rw", "ro"}, unified=False)
    controllers: list[str] = []
    with suppress(OSError):
        controllers = (root / "cgroup.controllers").read_text().split()
    return Hierarchy(root, frozenset(controllers), unified=True)
