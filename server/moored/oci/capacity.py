"""How much of what limits are about this host has, and which of them it can keep."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from moored.oci.cgroups import Hierarchy

_PAGES: Final = Path("/sys/kernel/mm/hugepages")
_PAGE_DIRECTORY: Final = re.compile(r"hugepages-([0-9]+)kB")
_UNITS: Final = ("KB", "MB", "GB", "TB")
_NODES: Final = Path("/sys/devices/system/node/online")
_ONLINE: Final = Path("/sys/devices/system/cpu/online")
_OPEN_FILES: Final = Path("/proc/sys/fs/nr_open")
_DISKS: Final = ("blkio", "io")
"""What v1 and v2 call the controller of disks."""
_WEIGHTS: Final = ("blkio.weight", "blkio.bfq.weight", "io.weight", "io.bfq.weight")
_THROTTLES: Final = ("blkio.throttle.read_bps_device", "io.max")
_QUOTAS: Final = ("cpu.cfs_quota_us", "cpu.max")


@dataclass(frozen=True)
class Capacity:
    """What there is to limit. The defaults are a host that can limit nothing."""

    usable: frozenset[str] = frozenset()
    """The controllers that a runtime uses: beside v1's, those of v2 are nobody's."""
    processors: int = 1
    online: str = "0"
    """Their numbers, as a list."""
    nodes: str = "0"
    hugepages: frozenset[str] = frozenset()
    """Sizes, as the controller's files call them: 2MB."""
    limits_processors: bool = False
    weighs_disks: bool = False
    throttles_disks: bool = False
    most_open_files: int = 0
    """The highest limit of open files that a process can have. 0: not known."""

    @classmethod
    def look(cls, mounted: Sequence[Hierarchy]) -> Capacity:
        wanted = usable(mounted)
        here = [h for h in mounted if h.controllers & wanted]
        return cls(
            usable=wanted,
            processors=os.cpu_count() or 1,
            online=_line(_ONLINE) or f"0-{(os.cpu_count() or 1) - 1}",
            nodes=_line(_NODES) or "0",
            hugepages=_hugepages(),
            limits_processors=_has(here, ("cpu",), _QUOTAS),
            weighs_disks=_has(here, _DISKS, _WEIGHTS),
            throttles_disks=_has(here, _DISKS, _THROTTLES),
            most_open_files=int(_line(_OPEN_FILES) or 0),
        )


def usable(mounted: Sequence[Hierarchy]) -> frozenset[str]:
    first = [h for h in mounted if not h.unified and _controls(h)]
    return frozenset[str]().union(*(h.controllers for h in first or mounted))


def _controls(hierarchy: Hierarchy) -> bool:
    return any(not name.startswith("name=") for name in hierarchy.controllers)


def _has(mounted: Sequence[Hierarchy], controllers: Sequence[str], files: Sequence[str]) -> bool:
    """Whether a cgroup with one of ``controllers`` has one of ``files``."""
    return any(
        (place / file).exists()
        for hierarchy in mounted
        if hierarchy.controllers & set(controllers)
        for place in _looked_at(hierarchy)
        for file in files
    )


def _looked_at(hierarchy: Hierarchy) -> Iterator[Path]:
    """Yield v1's root; of v2, whose root has no limits, the cgroups just below."""
    if not hierarchy.unified:
        yield hierarchy.root
        return
    with suppress(OSError), os.scandir(hierarchy.root) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield Path(entry.path)


def _hugepages() -> frozenset[str]:
    names = os.listdir(_PAGES) if _PAGES.is_dir() else []
    found = (_PAGE_DIRECTORY.fullmatch(name) for name in names)
    return frozenset(_size(int(match[1])) for match in found if match)


def _size(kilobytes: int) -> str:
    unit = 0
    while kilobytes >= 1024 and unit < len(_UNITS) - 1:
        kilobytes, unit = kilobytes // 1024, unit + 1
    return f"{kilobytes}{_UNITS[unit]}"


def _line(path: Path) -> str:
    with suppress(OSError):
        return path.read_text().strip()
    return ""
