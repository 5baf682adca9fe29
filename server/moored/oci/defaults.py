"""What every container gets alike: its system mounts, devices, and what of /proc it may not see.

No weaker than the big engines' defaults.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

Json: TypeAlias = dict[str, Any]
"""A JSON object of the runtime spec."""

PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

MASKED_PATHS: Final = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
)
READONLY_PATHS: Final = (
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
)


def mount(destination: str, kind: str, source: str, *options: str) -> Json:
    return {"destination": destination, "type": kind, "source": source, "options": list(options)}


SAFE: Final = ("nosuid", "noexec", "nodev")

MOUNTS: Final[tuple[Json, ...]] = (
    mount("/proc", "proc", "proc", *SAFE),
    mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
    mount(
        "/dev/pts",
        "devpts",
        "devpts",
        *("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
    ),
    mount("/sys", "sysfs", "sysfs", *SAFE, "ro"),
    mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro", *SAFE),
    mount("/dev/mqueue", "mqueue", "mqueue", *SAFE),
)


def mounts(*, privileged: bool) -> list[Json]:
    """Return the system mounts; a privileged container may write to those of the kernel's."""
    if not privileged:
        return list(MOUNTS)
    return [mount | {"options": [o for o in mount["options"] if o != "ro"]} for mount in MOUNTS]


def binds(files: Mapping[str, str], *options: str) -> list[Json]:
    """Return the mounts that show files of the host's (values) at destinations (keys)."""
    return [
        mount(destination, "bind", source, "bind", "rprivate", *options)
        for destination, source in sorted(files.items())
    ]


def _device(kind: str, major: int | None, minor: int | None, access: str) -> Json:
    numbers = {"major": major, "minor": minor}
    known = {key: number for key, number in numbers.items() if number is not None}
    return {"allow": True, "type": kind, **known, "access": access}


DEVICES: Final[tuple[Json, ...]] = (
    {"allow": False, "access": "rwm"},
    _device("c", None, None, "m"),
    _device("b", None, None, "m"),
    _device("c", 1, 3, "rwm"),  # /dev/null
    _device("c", 1, 5, "rwm"),  # /dev/zero
    _device("c", 1, 7, "rwm"),  # /dev/full
    _device("c", 1, 8, "rwm"),  # /dev/random
    _device("c", 1, 9, "rwm"),  # /dev/urandom
    _device("c", 5, 0, "rwm"),  # /dev/tty
    _device("c", 5, 1, "rwm"),  # /dev/console
    _device("c", 5, 2, "rwm"),  # /dev/ptmx
    _device("c", 136, None, "rwm"),  # /dev/pts/*
)
"""Any may be made, only these be used."""
