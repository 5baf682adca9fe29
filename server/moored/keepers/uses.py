"""What each container uses, in numbers for whoever collects: only where the settings ask for it.

These alone of our metrics bear ids, so their number grows with the load. Names and attributes are
OpenTelemetry's for containers, where it has any.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from moored.telemetry.measures import Measures
    from moored.verbs.stats import Sample, Sampler

_PAUSE: Final = 10.0
"""Seconds between two looks: no older is what is collected."""
_NANO: Final = 1e-9

Numbers: TypeAlias = "Iterable[tuple[Mapping[str, str], int | float]]"
"""Each with the attributes that it has beside the container's."""
_Reading: TypeAlias = Callable[["Sample"], Numbers]


@dataclass(kw_only=True)
class Uses:
    sampler: Sampler
    measures: Measures
    wanted: bool
    _last: list[Sample] = field(default_factory=list)

    async def run(self) -> None:
        """Look until cancelled; end at once where nobody wants it."""
        if not self.wanted:
            return
        self._show()
        while True:
            self._last = await self.sampler.sample(None)
            await asyncio.sleep(_PAUSE)

    def _show(self) -> None:
        for name, unit, description, reading in _TOTALS:
            self.measures.totals(name, unit, description, self._reader(reading))
        for name, unit, description, reading in _GAUGES:
            self.measures.gauges(name, unit, description, self._reader(reading))

    def _reader(self, reading: _Reading) -> Callable[[], Numbers]:
        def read() -> Numbers:
            for sample in self._last:
                for attributes, number in reading(sample):
                    yield {**_of(sample), **attributes}, number

        return read


def _of(sample: Sample) -> Mapping[str, str]:
    snapshot = sample.snapshot
    return {
        "container.id": snapshot.id,
        "container.name": snapshot.spec.name,
        "container.image.name": snapshot.image.name,
    }


def _cpu(sample: Sample) -> Numbers:
    if cpu := sample.usage.cpu:
        yield {"cpu.mode": "user"}, cpu.user * _NANO
        yield {"cpu.mode": "system"}, cpu.system * _NANO


def _throttled(sample: Sample) -> Numbers:
    if cpu := sample.usage.cpu:
        yield {}, cpu.throttled_time * _NANO


def _memory(sample: Sample) -> Numbers:
    if memory := sample.usage.memory:
        yield {}, memory.usage


def _working_set(sample: Sample) -> Numbers:
    if memory := sample.usage.memory:
        yield {}, memory.working_set


def _memory_limit(sample: Sample) -> Numbers:
    if (memory := sample.usage.memory) and memory.limit is not None:
        yield {}, memory.limit


def _oom_kills(sample: Sample) -> Numbers:
    if memory := sample.usage.memory:
        yield {}, memory.oom_kills


def _processes(sample: Sample) -> Numbers:
    if pids := sample.usage.pids:
        yield {}, pids.current


def _disk(sample: Sample) -> Numbers:
    if io := sample.usage.io:
        yield {"disk.io.direction": "read"}, io.read_bytes
        yield {"disk.io.direction": "write"}, io.write_bytes


def _network(sample: Sample) -> Numbers:
    for traffic in sample.traffic:
        named = {"network.interface.name": traffic.name}
        yield {**named, "network.io.direction": "receive"}, traffic.received_bytes
        yield {**named, "network.io.direction": "transmit"}, traffic.sent_bytes


def _restarts(sample: Sample) -> Numbers:
    yield {}, sample.snapshot.restarts


_TOTALS: Final[tuple[tuple[str, str, str, _Reading], ...]] = (
    ("container.cpu.time", "s", "Processor time that the run has had", _cpu),
    ("moored.container.cpu.throttled", "s", "Time for which its quota held it back", _throttled),
    ("moored.container.oom_kills", "{kill}", "Processes ended for want of memory", _oom_kills),
    ("container.disk.io", "By", "What the run read and wrote", _disk),
    ("container.network.io", "By", "What went over each interface of the run", _network),
)
"""What grows as long as a run lives, and begins anew with the next."""
_GAUGES: Final[tuple[tuple[str, str, str, _Reading], ...]] = (
    ("container.memory.usage", "By", "Memory in use, page cache included", _memory),
    ("container.memory.working_set", "By", "Memory that cannot be let go of", _working_set),
    ("moored.container.memory.limit", "By", "The limit, where there is one", _memory_limit),
    ("moored.container.processes", "{process}", "Processes and threads", _processes),
    ("moored.container.restarts", "{start}", "Starts in a row by its restart policy", _restarts),
)
