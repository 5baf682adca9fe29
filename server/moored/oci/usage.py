"""What a run uses, as the kernel counts it: read from its cgroup, in whichever layout it is.

Pure readers over files: nobody is asked. What is not there is None, and never 0. Times are in
nanoseconds, sizes in bytes; counters begin with the cgroup.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from moored.oci import cgroups

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_MICRO: Final = 1000
_TICK: Final = 10_000_000
"""Nanoseconds of a clock tick as user space sees it: a hundredth of a second on every machine."""
_NO_LIMIT: Final = 1 << 60
"""From here on v1 means no limit: the largest number of pages."""


@dataclass(frozen=True)
class Cpu:
    usage: int
    user: int = 0
    system: int = 0
    periods: int = 0
    throttled_periods: int = 0
    throttled_time: int = 0


@dataclass(frozen=True)
class Memory:
    usage: int
    inactive_file: int = 0
    anonymous: int = 0
    file: int = 0
    limit: int | None = None
    peak: int | None = None
    swap: int | None = None
    oom_kills: int = 0

    @property
    def working_set(self) -> int:
        return max(0, self.usage - self.inactive_file)


@dataclass(frozen=True)
class Io:
    read_bytes: int = 0
    write_bytes: int = 0
    read_operations: int = 0
    write_operations: int = 0


@dataclass(frozen=True)
class Pids:
    current: int
    limit: int | None = None


@dataclass(frozen=True)
class Usage:
    cpu: Cpu | None = None
    memory: Memory | None = None
    io: Io | None = None
    pids: Pids | None = None


def of_cgroup(cgroup: str) -> Usage | None:
    """Return what is counted in ``cgroup``; None: it is not there."""
    places = cgroups.paths(cgroup)
    return of_places(places) if places else None


def of_places(places: Sequence[Path]) -> Usage:
    """Return what the directories of one cgroup count, one a hierarchy.

    Whoever has the file of a layout is of that layout: on a hybrid host each controller is in one.
    """
    return Usage(
        cpu=_cpu_v2(places) or _cpu_v1(places),
        memory=_memory_v2(places) or _memory_v1(places),
        io=_io_v2(places) or _io_v1(places),
        pids=_pids(places),
    )


def _cpu_v2(places: Sequence[Path]) -> Cpu | None:
    tables = (_table_of([place], "cpu.stat") for place in places)
    table = next((table for table in tables if "usage_usec" in table), None)
    if table is None:
        return None
    return Cpu(
        usage=table["usage_usec"] * _MICRO,
        user=table.get("user_usec", 0) * _MICRO,
        system=table.get("system_usec", 0) * _MICRO,
        periods=table.get("nr_periods", 0),
        throttled_periods=table.get("nr_throttled", 0),
        throttled_time=table.get("throttled_usec", 0) * _MICRO,
    )


def _cpu_v1(places: Sequence[Path]) -> Cpu | None:
    usage = _number(places, "cpuacct.usage")
    if usage is None:
        return None
    parts = _table_of(places, "cpuacct.stat")
    quota = _table_of(places, "cpu.stat")
    return Cpu(
        usage=usage,
        user=parts.get("user", 0) * _TICK,
        system=parts.get("system", 0) * _TICK,
        periods=quota.get("nr_periods", 0),
        throttled_periods=quota.get("nr_throttled", 0),
        throttled_time=quota.get("throttled_time", 0),
    )


def _memory_v2(places: Sequence[Path]) -> Memory | None:
    usage = _number(places, "memory.current")
    if usage is None:
        return None
    parts = _table_of(places, "memory.stat")
    return Memory(
        usage=usage,
        inactive_file=parts.get("inactive_file", 0),
        anonymous=parts.get("anon", 0),
        file=parts.get("file", 0),
        limit=_number(places, "memory.max"),
        peak=_number(places, "memory.peak"),
        swap=_number(places, "memory.swap.current"),
        oom_kills=_table_of(places, "memory.events").get("oom_kill", 0),
    )


def _memory_v1(places: Sequence[Path]) -> Memory | None:
    usage = _number(places, "memory.usage_in_bytes")
    if usage is None:
        return None
    parts = _table_of(places, "memory.stat")
    limit = _number(places, "memory.limit_in_bytes")
    both = _number(places, "memory.memsw.usage_in_bytes")
    return Memory(
        usage=usage,
        inactive_file=parts.get("total_inactive_file", 0),
        anonymous=parts.get("total_rss", 0),
        file=parts.get("total_cache", 0),
        limit=None if limit is None or limit >= _NO_LIMIT else limit,
        peak=_number(places, "memory.max_usage_in_bytes"),
        swap=None if both is None else max(0, both - usage),
        oom_kills=_table_of(places, "memory.oom_control").get("oom_kill", 0),
    )


def _io_v2(places: Sequence[Path]) -> Io | None:
    lines = _lines_of(places, "io.stat")
    if lines is None:
        return None
    found = [dict(_pairs(line)) for line in lines]
    keys = ("rbytes", "wbytes", "rios", "wios")
    return Io(*(sum(one.get(key, 0) for one in found) for key in keys))


def _pairs(line: str) -> Iterator[tuple[str, int]]:
    for word in line.split()[1:]:
        key, _, value = word.partition("=")
        if value.isdecimal():
            yield key, int(value)


def _io_v1(places: Sequence[Path]) -> Io | None:
    """Read what was throttled, or would be: counted whichever scheduler a disk has."""
    amounts = _lines_of(places, "blkio.throttle.io_service_bytes_recursive") or _lines_of(
        places, "blkio.throttle.io_service_bytes"
    )
    counts = _lines_of(places, "blkio.throttle.io_serviced_recursive") or _lines_of(
        places, "blkio.throttle.io_serviced"
    )
    if amounts is None or counts is None:
        return None
    return Io(
        _sum(amounts, "Read"), _sum(amounts, "Write"), _sum(counts, "Read"), _sum(counts, "Write")
    )


def _sum(lines: Sequence[str], kind: str) -> int:
    words = (line.split() for line in lines)
    return sum(int(three[2]) for three in words if len(three) == 3 and three[1] == kind)


def _pids(places: Sequence[Path]) -> Pids | None:
    current = _number(places, "pids.current")
    return None if current is None else Pids(current, _number(places, "pids.max"))


def _number(places: Sequence[Path], name: str) -> int | None:
    """Return the number in a file; None: there is none, or no number ("max") in it."""
    lines = _lines_of(places, name)
    return int(lines[0]) if lines and lines[0].isdecimal() else None


def _table_of(places: Sequence[Path], name: str) -> dict[str, int]:
    return _parsed(_lines_of(places, name) or ())


def _parsed(lines: Sequence[str]) -> dict[str, int]:
    words = (line.split() for line in lines)
    return {two[0]: int(two[1]) for two in words if len(two) == 2 and two[1].isdecimal()}


def _lines_of(places: Sequence[Path], name: str) -> list[str] | None:
    for place in places:
        with suppress(OSError):
            return (place / name).read_text().splitlines()
    return None
