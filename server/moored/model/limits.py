"""What a container may use: values only. 0, empty and unset mean no limit, but where said."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

UNLIMITED: Final = -1


@dataclass(frozen=True)
class BlkioWeight:
    path: str
    weight: int


@dataclass(frozen=True)
class BlkioThrottle:
    path: str
    read_bps: int = 0
    write_bps: int = 0
    read_iops: int = 0
    write_iops: int = 0


@dataclass(frozen=True)
class HugepageLimit:
    page_size: str
    limit: int


@dataclass(frozen=True)
class Resources:
    memory_limit: int = 0
    """Bytes, swap included unless memory_swap_limit says otherwise."""
    memory_swap_limit: int = 0
    """Bytes of both together. UNLIMITED, or 0: as memory_limit."""
    memory_reservation: int = 0
    pids_limit: int = 0
    cpu_shares: int = 0
    cpu_period: timedelta = timedelta()
    cpu_quota: timedelta = timedelta()
    nano_cpus: int = 0
    cpu_rt_period: timedelta = timedelta()
    cpu_rt_runtime: timedelta = timedelta()
    cpuset_cpus: str = ""
    cpuset_mems: str = ""
    blkio_weight: int = 0
    blkio_weights: tuple[BlkioWeight, ...] = ()
    blkio_throttles: tuple[BlkioThrottle, ...] = ()
    hugepage_limits: tuple[HugepageLimit, ...] = ()
    memory_swappiness: int | None = None


NO_LIMITS: Final = Resources()


@dataclass(frozen=True)
class Rlimit:
    name: str
    soft: int
    hard: int
