"""Limits, from the model's values onto the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.duration_pb2 import Duration

from moorage.v1 import container_pb2
from moorage.v1 import resources_pb2 as wire
from moored.model.limits import Resources

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta

    from moored.model.limits import Rlimit


def resources(value: Resources) -> container_pb2.Resources | None:
    """Return the message, or None where nothing is limited."""
    if value == Resources():
        return None
    return container_pb2.Resources(
        memory_limit=value.memory_limit,
        memory_swap_limit=value.memory_swap_limit,
        memory_reservation=value.memory_reservation,
        memory_swappiness=value.memory_swappiness,
        pids_limit=value.pids_limit,
        cpu_shares=value.cpu_shares,
        cpu_period=_duration(value.cpu_period),
        cpu_quota=_duration(value.cpu_quota),
        nano_cpus=value.nano_cpus,
        cpu_rt_period=_duration(value.cpu_rt_period),
        cpu_rt_runtime=_duration(value.cpu_rt_runtime),
        cpuset_cpus=value.cpuset_cpus,
        cpuset_mems=value.cpuset_mems,
        blkio_weight=value.blkio_weight,
        blkio_weights=[wire.BlkioWeight(path=w.path, weight=w.weight) for w in value.blkio_weights],
        blkio_throttles=[
            wire.BlkioThrottle(
                path=t.path,
                read_bps=t.read_bps,
                write_bps=t.write_bps,
                read_iops=t.read_iops,
                write_iops=t.write_iops,
            )
            for t in value.blkio_throttles
        ],
        hugepage_limits=[
            wire.HugepageLimit(page_size=h.page_size, limit=h.limit) for h in value.hugepage_limits
        ],
    )


def rlimits(values: Iterable[Rlimit]) -> list[wire.Rlimit]:
    return [wire.Rlimit(name=v.name, soft=v.soft, hard=v.hard) for v in values]


def _duration(value: timedelta) -> Duration | None:
    if not value:
        return None
    message = Duration()
    message.FromTimedelta(value)
    return message
