"""Limits, from the wire into the model's values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moored.api.asked_times import duration
from moored.model.limits import BlkioThrottle, BlkioWeight, HugepageLimit, Resources, Rlimit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from moorage.v1 import container_pb2, resources_pb2


def resources(message: container_pb2.Resources) -> Resources:
    return Resources(
        memory_limit=message.memory_limit,
        memory_swap_limit=message.memory_swap_limit,
        memory_reservation=message.memory_reservation,
        pids_limit=message.pids_limit,
        cpu_shares=message.cpu_shares,
        cpu_period=duration(message.cpu_period, "spec.resources.cpu_period"),
        cpu_quota=duration(message.cpu_quota, "spec.resources.cpu_quota"),
        nano_cpus=message.nano_cpus,
        cpu_rt_period=duration(message.cpu_rt_period, "spec.resources.cpu_rt_period"),
        cpu_rt_runtime=duration(message.cpu_rt_runtime, "spec.resources.cpu_rt_runtime"),
        cpuset_cpus=message.cpuset_cpus,
        cpuset_mems=message.cpuset_mems,
        blkio_weight=message.blkio_weight,
        blkio_weights=tuple(BlkioWeight(w.path, w.weight) for w in message.blkio_weights),
        blkio_throttles=tuple(
            BlkioThrottle(t.path, t.read_bps, t.write_bps, t.read_iops, t.write_iops)
            for t in message.blkio_throttles
        ),
        hugepage_limits=tuple(HugepageLimit(h.page_size, h.limit) for h in message.hugepage_limits),
        memory_swappiness=(
            message.memory_swappiness if message.HasField("memory_swappiness") else None
        ),
    )


def rlimits(messages: Iterable[resources_pb2.Rlimit]) -> tuple[Rlimit, ...]:
    return tuple(Rlimit(message.name, message.soft, message.hard) for message in messages)
