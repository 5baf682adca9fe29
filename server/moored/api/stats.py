"""Stats on the wire: samples, and what two of them in a row say."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from google.protobuf.duration_pb2 import Duration

from moorage.v1 import container_service_pb2 as service
from moorage.v1 import stats_pb2 as wire
from moored.api import asked
from moored.api.pictures import time

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from moored.network.interfaces import Traffic
    from moored.oci.usage import Cpu, Io, Memory, Pids
    from moored.verbs.stats import Sample, Sampler

SHORTEST: Final = timedelta(milliseconds=100)
LONGEST: Final = timedelta(hours=1)


@dataclass(frozen=True)
class StatsDesk:
    sampler: Sampler

    async def stats(self, request: service.StatsRequest) -> AsyncIterator[service.StatsResponse]:
        interval = _interval(request)
        subjects = self.sampler.find(request.containers) if request.containers else None
        clock = asyncio.get_running_loop().time
        due = clock()
        before: dict[str, Sample] = {}
        while True:
            samples = await self.sampler.sample(subjects)
            yield _answer(samples, before)
            if interval is None:
                return
            before = {sample.snapshot.id: sample for sample in samples}
            # Those that a slow reader missed are left out, and the others keep their time.
            due = max(due + interval, clock())
            await asyncio.sleep(due - clock())


def _interval(request: service.StatsRequest) -> float | None:
    if not request.HasField("interval"):
        return None
    interval = asked.duration(request.interval, "interval")
    if not SHORTEST <= interval <= LONGEST:
        raise asked.refused("interval", "must be between 100 ms and 1 h")
    return interval.total_seconds()


def _answer(samples: Sequence[Sample], before: Mapping[str, Sample]) -> service.StatsResponse:
    return service.StatsResponse(
        containers=[_stats(sample, before.get(sample.snapshot.id)) for sample in samples]
    )


def _stats(sample: Sample, before: Sample | None) -> wire.ContainerStats:
    usage = sample.usage
    return wire.ContainerStats(
        container=sample.snapshot.id,
        name=sample.snapshot.spec.name,
        run=sample.snapshot.run,
        time=time(sample.at),
        cpu=_cpu(usage.cpu, _processors(sample, before)) if usage.cpu else None,
        memory=_memory(usage.memory) if usage.memory else None,
        io=_io(usage.io) if usage.io else None,
        pids=_pids(usage.pids) if usage.pids else None,
        interfaces=[_interface(traffic) for traffic in sample.traffic],
    )


def _processors(sample: Sample, before: Sample | None) -> float | None:
    """Return how many were in use between two samples of one run."""
    if before is None or before.snapshot.run != sample.snapshot.run:
        return None
    seconds = (sample.at - before.at).total_seconds()
    if not (sample.usage.cpu and before.usage.cpu) or seconds <= 0:
        return None
    used = sample.usage.cpu.usage - before.usage.cpu.usage
    return max(0.0, used / seconds / 1e9)


def _cpu(cpu: Cpu, processors: float | None) -> wire.CpuStats:
    return wire.CpuStats(
        usage=_duration(cpu.usage),
        user=_duration(cpu.user),
        system=_duration(cpu.system),
        periods=cpu.periods,
        throttled_periods=cpu.throttled_periods,
        throttled_time=_duration(cpu.throttled_time),
        processors=processors,
    )


def _memory(memory: Memory) -> wire.MemoryStats:
    return wire.MemoryStats(
        usage=memory.usage,
        working_set=memory.working_set,
        limit=memory.limit,
        anonymous=memory.anonymous,
        file=memory.file,
        peak=memory.peak,
        swap=memory.swap,
        oom_kills=memory.oom_kills,
    )


def _io(io: Io) -> wire.IoStats:
    return wire.IoStats(
        read_bytes=io.read_bytes,
        write_bytes=io.write_bytes,
        read_operations=io.read_operations,
        write_operations=io.write_operations,
    )


def _pids(pids: Pids) -> wire.PidsStats:
    return wire.PidsStats(current=pids.current, limit=pids.limit)


def _interface(traffic: Traffic) -> wire.InterfaceStats:
    return wire.InterfaceStats(
        name=traffic.name,
        received_bytes=traffic.received_bytes,
        received_packets=traffic.received_packets,
        received_errors=traffic.received_errors,
        received_dropped=traffic.received_dropped,
        sent_bytes=traffic.sent_bytes,
        sent_packets=traffic.sent_packets,
        sent_errors=traffic.sent_errors,
        sent_dropped=traffic.sent_dropped,
    )


def _duration(nanoseconds: int) -> Duration:
    message = Duration()
    message.FromNanoseconds(nanoseconds)
    return message
