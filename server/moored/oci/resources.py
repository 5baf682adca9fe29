"""Limits as the runtime takes them, and which of them this host can keep.

The runtime spec speaks of v1's values on every host: the runtime itself turns shares into
weights and swap into what v2 calls so. What differs here is only what a host can do.

A limit that cannot be kept is a violation; a preference that cannot be followed is left out,
with a warning. Both are told by the same look at the host as the spec is built from.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from moored.errors import Violation
from moored.model.limit_rules import period
from moored.model.limits import UNLIMITED, Resources
from moored.oci import realtime
from moored.oci.cpusets import members

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from moored.model.limits import BlkioThrottle
    from moored.oci.defaults import Json
    from moored.oci.host import Host

_NANO: Final = 10**9
_MICROSECOND: Final = timedelta(microseconds=1)
DeviceNumber = tuple[int, int]


def translate(
    asked: Resources, host: Host, number_of: Callable[[str], DeviceNumber]
) -> dict[str, Any]:
    """Return memory, cpu, pids, blockIO and hugepageLimits: those that say something.

    ``number_of`` returns the major and minor number of a device of the host's.
    """
    kept = followed(asked, host)
    parts = {
        "memory": _memory(kept, host),
        "cpu": _cpu(kept),
        "pids": {"limit": kept.pids_limit} if kept.pids_limit else {},
        "blockIO": _block_io(kept, number_of),
        "hugepageLimits": [
            {"pageSize": pages.page_size, "limit": pages.limit} for pages in kept.hugepage_limits
        ],
    }
    return {name: part for name, part in parts.items() if part}


def changed(after: Resources, host: Host) -> dict[str, Any]:
    """Return what a runtime is told for a run under way: also that there is no limit any more."""
    free = _unlimited(host)
    kept = replace(
        after,
        blkio_weights=(),
        blkio_throttles=(),
        hugepage_limits=(),
        memory_swappiness=None,
        cpu_rt_runtime=timedelta(),
    )
    wanted = translate(kept, host, _no_device)
    return {name: free[name] | wanted.get(name, {}) for name in free if free[name]} | {
        name: part for name, part in wanted.items() if not free.get(name)
    }


def fixed(before: Resources, after: Resources) -> Iterator[Violation]:
    """Yield what no runtime changes while a run is under way."""
    for field in (*_OF_NEW_RUNS, "blkio_weight"):
        reset = field != "blkio_weight" or not after.blkio_weight
        if reset and getattr(before, field) != getattr(after, field):
            yield Violation(f"resources.{field}", "cannot change while the container runs")


_OF_NEW_RUNS: Final = (
    "blkio_weights",
    "blkio_throttles",
    "hugepage_limits",
    "memory_swappiness",
    "cpu_rt_period",
    "cpu_rt_runtime",
)


def _no_device(path: str) -> DeviceNumber:
    raise AssertionError(f"{path} is no limit of a run under way")


def _unlimited(host: Host) -> dict[str, Json]:
    """Return the limits of a container that has none, as far as this host can set them."""
    usable, capacity = host.capacity.usable, host.capacity
    # Of v2, where a runtime takes 0 for nothing to say, and no limit for all of the memory.
    unreserved = 1 if host.cgroup_mode == "v2" else UNLIMITED
    memory: Json = {"limit": UNLIMITED, "reservation": unreserved}
    if host.limits_swap:
        memory["swap"] = UNLIMITED
    cpu: Json = {"shares": 1024} if "cpu" in usable else {}
    if capacity.limits_processors:
        cpu |= {"period": period(Resources()) // _MICROSECOND, "quota": UNLIMITED}
    if "cpuset" in usable:
        cpu |= {"cpus": capacity.online, "mems": capacity.nodes}
    return {
        "memory": memory if "memory" in usable else {},
        "cpu": cpu,
        "pids": {"limit": UNLIMITED} if "pids" in usable else {},
    }


def followed(asked: Resources, host: Host) -> Resources:
    """Return ``asked`` without the preferences that this host cannot follow."""
    return replace(asked, **{field: _NONE[field] for field, _ in _unfollowed(asked, host)})


def warnings(asked: Resources, host: Host) -> list[str]:
    """Return a sentence for each preference that is left out here."""
    return [f"spec.resources.{field} is left out: {why}" for field, why in _unfollowed(asked, host)]


def violations(asked: Resources, host: Host) -> Iterator[Violation]:
    """Yield the limits that this host, as it is now, cannot keep."""
    for field, why in (
        *_unkept_memory(asked, host),
        *_unkept_processors(asked, host),
        *_unkept_others(asked, host),
    ):
        yield Violation(f"resources.{field}", why)


_NONE: Final[dict[str, Any]] = {
    "cpu_shares": 0,
    "memory_reservation": 0,
    "blkio_weight": 0,
    "blkio_weights": (),
}


def _unfollowed(asked: Resources, host: Host) -> Iterator[tuple[str, str]]:
    if asked.cpu_shares and "cpu" not in host.capacity.usable:
        yield "cpu_shares", _lacks("cpu")
    if asked.memory_reservation and "memory" not in host.capacity.usable:
        yield "memory_reservation", _lacks("memory")
    for field in ("blkio_weight", "blkio_weights"):
        if getattr(asked, field) and not host.capacity.weighs_disks:
            yield field, "no scheduler of this host's disks knows weights"


def _unkept_memory(asked: Resources, host: Host) -> Iterator[tuple[str, str]]:
    if asked.memory_swappiness is not None:
        if "memory" not in host.capacity.usable:
            yield "memory_swappiness", _needs("memory")
        elif host.cgroup_mode == "v2":
            yield "memory_swappiness", "is a setting of cgroups v1, and this host has v2"
    if not asked.memory_limit:
        return
    if "memory" not in host.capacity.usable:
        yield "memory_limit", _needs("memory")
    elif host.swaps and not host.limits_swap and asked.memory_swap_limit != UNLIMITED:
        if asked.memory_swap_limit:
            yield "memory_swap_limit", "is swap, which this host has and cannot limit"
        else:
            yield "memory_limit", "includes swap, which this host has and cannot limit"


def _unkept_processors(asked: Resources, host: Host) -> Iterator[tuple[str, str]]:
    for field in ("nano_cpus", "cpu_quota", "cpu_period"):
        if getattr(asked, field) and not host.capacity.limits_processors:
            yield field, "needs the cpu controller with quotas, which this host does not have"
    if asked.nano_cpus > host.capacity.processors * _NANO:
        yield "nano_cpus", f"is more than the {host.capacity.processors} processors of this host"
    sets = (
        ("cpuset_cpus", asked.cpuset_cpus, host.capacity.online),
        ("cpuset_mems", asked.cpuset_mems, host.capacity.nodes),
    )
    for field, text, there in sets:
        if text and "cpuset" not in host.capacity.usable:
            yield field, _needs("cpuset")
        elif text and not members(text) <= members(there):
            yield field, f"has more than this host, which has {there}"


def _unkept_others(asked: Resources, host: Host) -> Iterator[tuple[str, str]]:
    if asked.pids_limit and "pids" not in host.capacity.usable:
        yield "pids_limit", _needs("pids")
    if asked.blkio_throttles and not host.capacity.throttles_disks:
        yield "blkio_throttles", "need a controller of disks, which this host does not have"
    for number, pages in enumerate(asked.hugepage_limits):
        field = f"hugepage_limits[{number}].page_size"
        if "hugetlb" not in host.capacity.usable:
            yield field, _needs("hugetlb")
        elif pages.page_size not in host.capacity.hugepages:
            sizes = ", ".join(sorted(host.capacity.hugepages)) or "none"
            yield field, f"is none of this host's sizes: {sizes}"


def _lacks(controller: str) -> str:
    return f"this host does not have the {controller} controller"


def _needs(controller: str) -> str:
    return f"needs the {controller} controller, which this host does not have"


def _memory(kept: Resources, host: Host) -> Json:
    memory: Json = {}
    if kept.memory_limit:
        memory["limit"] = kept.memory_limit
        if host.limits_swap:
            # Of both together, in either version of cgroups.
            memory["swap"] = kept.memory_swap_limit or kept.memory_limit
    if kept.memory_reservation:
        memory["reservation"] = kept.memory_reservation
    if kept.memory_swappiness is not None:
        memory["swappiness"] = kept.memory_swappiness
    return memory


def _cpu(kept: Resources) -> Json:
    cpu = realtime.limits(kept)
    if kept.cpu_shares:
        cpu["shares"] = kept.cpu_shares
    if kept.nano_cpus:
        cpu["period"] = period(kept) // _MICROSECOND
        cpu["quota"] = kept.nano_cpus * cpu["period"] // _NANO
    elif kept.cpu_quota or kept.cpu_period:
        cpu["period"] = period(kept) // _MICROSECOND
        if kept.cpu_quota:
            cpu["quota"] = kept.cpu_quota // _MICROSECOND
    if kept.cpuset_cpus:
        cpu["cpus"] = kept.cpuset_cpus
    if kept.cpuset_mems:
        cpu["mems"] = kept.cpuset_mems
    return cpu


def _block_io(kept: Resources, number_of: Callable[[str], DeviceNumber]) -> Json:
    block_io: Json = {"weight": kept.blkio_weight} if kept.blkio_weight else {}
    if kept.blkio_weights:
        block_io["weightDevice"] = [
            _of_device(number_of(entry.path), "weight", entry.weight)
            for entry in kept.blkio_weights
        ]
    for name, rate in _RATES.items():
        entries = [
            _of_device(number_of(entry.path), "rate", rate(entry))
            for entry in kept.blkio_throttles
            if rate(entry)
        ]
        if entries:
            block_io[name] = entries
    return block_io


_RATES: Final[dict[str, Callable[[BlkioThrottle], int]]] = {
    "throttleReadBpsDevice": lambda throttle: throttle.read_bps,
    "throttleWriteBpsDevice": lambda throttle: throttle.write_bps,
    "throttleReadIOPSDevice": lambda throttle: throttle.read_iops,
    "throttleWriteIOPSDevice": lambda throttle: throttle.write_iops,
}


def _of_device(number: DeviceNumber, key: str, value: int) -> Json:
    return {"major": number[0], "minor": number[1], key: value}
