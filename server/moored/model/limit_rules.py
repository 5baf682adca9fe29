"""Which limits make sense on any host."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

from moored.errors import Violation
from moored.model.limits import UNLIMITED, BlkioThrottle, Resources, Rlimit

SMALLEST_MEMORY: Final = 6 * 2**20
"""Bytes: less, and the runtime itself does not get a container started."""
LARGEST: Final = 2**53
"""Of bytes and rates: JSON readers take no larger number for exact."""
MOST_PIDS: Final = 2**22
_SHARES: Final = range(2, 262144 + 1)
_SWAPPINESS: Final = range(100 + 1)
_WEIGHTS: Final = range(10, 1000 + 1)
_RT_PERIOD: Final = timedelta(seconds=1)
"""The kernel's default."""
_PERIOD: Final = timedelta(milliseconds=100)
_SHORTEST: Final = timedelta(milliseconds=1)
_LONGEST_PERIOD: Final = timedelta(seconds=1)
_LONGEST_QUOTA: Final = timedelta(hours=1)
_MOST_NANO_CPUS: Final = 10**13
_LIST: Final = re.compile(r"[0-9]{1,5}(-[0-9]{1,5})?(,[0-9]{1,5}(-[0-9]{1,5})?)*")
_LONGEST_LIST: Final = 1024
_PAGE_SIZE: Final = re.compile(r"[1-9][0-9]{0,5}[KMGT]B")
_MOST: Final = 64
"""Of entries in any list."""
RLIMITS: Final = (
    "as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile",
    "nproc", "rss", "rtprio", "rttime", "sigpending", "stack",
)  # fmt: skip


def violations(resources: Resources) -> Iterator[Violation]:
    """Yield what no host could make sense of; fields are those of ``resources``."""
    for violation in (
        *_memory(resources),
        *_processors(resources),
        *_realtime(resources),
        *_cpusets(resources),
        *_disks(resources),
        *_hugepages(resources),
    ):
        yield Violation(f"resources.{violation.field}", violation.why)
    if resources.pids_limit and not 0 < resources.pids_limit <= MOST_PIDS:
        yield Violation("resources.pids_limit", f"must be 0, or at most {MOST_PIDS}")


def rlimit_violations(rlimits: Sequence[Rlimit]) -> Iterator[Violation]:
    seen: set[str] = set()
    for number, rlimit in enumerate(rlimits):
        field = f"rlimits[{number}]"
        if rlimit.name not in RLIMITS:
            yield Violation(f"{field}.name", f"is none of {', '.join(RLIMITS)}")
        elif rlimit.name in seen:
            yield Violation(f"{field}.name", f"limits {rlimit.name!r} a second time")
        seen.add(rlimit.name)
        for name, value in (("soft", rlimit.soft), ("hard", rlimit.hard)):
            if value < UNLIMITED:
                yield Violation(f"{field}.{name}", "must be a number, or -1 for no limit")
        if rlimit.hard != UNLIMITED and not 0 <= rlimit.soft <= rlimit.hard:
            yield Violation(f"{field}.soft", "must be at most the hard limit")


def period(resources: Resources) -> timedelta:
    """Return the time that a quota of processors is for."""
    return resources.cpu_period or _PERIOD


def rt_period(resources: Resources) -> timedelta:
    """Return the time that a runtime of realtime is for."""
    return resources.cpu_rt_period or _RT_PERIOD


def _realtime(asked: Resources) -> Iterator[Violation]:
    if asked.cpu_rt_period and not asked.cpu_rt_runtime:
        yield Violation("cpu_rt_period", "goes with cpu_rt_runtime only")
    if asked.cpu_rt_period and not _SHORTEST <= asked.cpu_rt_period <= _LONGEST_PERIOD:
        yield Violation("cpu_rt_period", "must be between 1 ms and 1 s")
    elif asked.cpu_rt_runtime and not _SHORTEST <= asked.cpu_rt_runtime <= rt_period(asked):
        yield Violation("cpu_rt_runtime", "must be between 1 ms and cpu_rt_period")


def _memory(asked: Resources) -> Iterator[Violation]:
    limit, both, reserved = (
        asked.memory_limit,
        asked.memory_swap_limit,
        asked.memory_reservation,
    )
    if limit and not SMALLEST_MEMORY <= limit <= LARGEST:
        yield Violation(
            "memory_limit", f"must be 0, or between {SMALLEST_MEMORY} and {LARGEST} bytes"
        )
    if both and not limit:
        yield Violation("memory_swap_limit", "goes with memory_limit only")
    elif both and both != UNLIMITED and not limit <= both <= LARGEST:
        yield Violation("memory_swap_limit", f"must be -1, or {limit} (memory_limit) at least")
    if reserved and not 0 < reserved <= LARGEST:
        yield Violation("memory_reservation", f"must be between 0 and {LARGEST} bytes")
    elif reserved and limit and reserved >= limit:
        yield Violation("memory_reservation", "must be less than memory_limit")
    if asked.memory_swappiness is not None and asked.memory_swappiness not in _SWAPPINESS:
        yield Violation("memory_swappiness", "must be between 0 and 100")


def _processors(asked: Resources) -> Iterator[Violation]:
    if asked.cpu_shares and asked.cpu_shares not in _SHARES:
        yield Violation("cpu_shares", "must be 0, or between 2 and 262144")
    if asked.cpu_period and not _SHORTEST <= asked.cpu_period <= _LONGEST_PERIOD:
        yield Violation("cpu_period", "must be between 1 ms and 1 s")
    if asked.cpu_quota and not _SHORTEST <= asked.cpu_quota <= _LONGEST_QUOTA:
        yield Violation("cpu_quota", "must be between 1 ms and 1 h")
    if asked.nano_cpus and (asked.cpu_quota or asked.cpu_period):
        yield Violation("nano_cpus", "does not go with cpu_quota and cpu_period")
    elif asked.nano_cpus and not 10**7 <= asked.nano_cpus <= _MOST_NANO_CPUS:
        yield Violation("nano_cpus", "must be 0, or 10000000 (a hundredth) at least")


def _cpusets(asked: Resources) -> Iterator[Violation]:
    for field, text in (("cpuset_cpus", asked.cpuset_cpus), ("cpuset_mems", asked.cpuset_mems)):
        if text and (len(text) > _LONGEST_LIST or not _LIST.fullmatch(text)):
            yield Violation(field, 'must be numbers and ranges, such as "0-3,7"')
        elif any(_runs_backwards(part) for part in text.split(",")):
            yield Violation(field, "has a range that ends before it begins")


def _runs_backwards(part: str) -> bool:
    first, dash, last = part.partition("-")
    return bool(dash) and int(last) < int(first)


def _disks(asked: Resources) -> Iterator[Violation]:
    if asked.blkio_weight and asked.blkio_weight not in _WEIGHTS:
        yield Violation("blkio_weight", "must be 0, or between 10 and 1000")
    for number, weight in enumerate(asked.blkio_weights):
        field = f"blkio_weights[{number}]"
        if weight.weight not in _WEIGHTS:
            yield Violation(f"{field}.weight", "must be between 10 and 1000")
        yield from _path(field, weight.path)
    for number, throttle in enumerate(asked.blkio_throttles):
        yield from _path(f"blkio_throttles[{number}]", throttle.path)
        yield from _rates(f"blkio_throttles[{number}]", throttle)
    for name, entries in (("weights", asked.blkio_weights), ("throttles", asked.blkio_throttles)):
        if len({entry.path for entry in entries}) < len(entries) or len(entries) > _MOST:
            yield Violation(f"blkio_{name}", f"must be {_MOST} at most, each for another disk")


def _rates(field: str, throttle: BlkioThrottle) -> Iterator[Violation]:
    rates = (throttle.read_bps, throttle.write_bps, throttle.read_iops, throttle.write_iops)
    if not any(rates):
        yield Violation(field, "limits nothing")
    if any(rate > LARGEST for rate in rates):
        yield Violation(field, f"has a rate beyond {LARGEST}")


def _path(field: str, path: str) -> Iterator[Violation]:
    if not path.startswith("/") or "\0" in path or ".." in path.split("/") or len(path) > 4095:
        yield Violation(f"{field}.path", 'must be an absolute path without ".."')


def _hugepages(asked: Resources) -> Iterator[Violation]:
    seen: set[str] = set()
    for number, pages in enumerate(asked.hugepage_limits):
        field = f"hugepage_limits[{number}]"
        if not _PAGE_SIZE.fullmatch(pages.page_size):
            yield Violation(f"{field}.page_size", 'must be a size such as "2MB"')
        elif pages.page_size in seen:
            yield Violation(f"{field}.page_size", "is limited a second time")
        seen.add(pages.page_size)
        if pages.limit > LARGEST:
            yield Violation(f"{field}.limit", f"must be at most {LARGEST} bytes")
