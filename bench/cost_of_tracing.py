"""What tracing costs: Inspect per second and the time of a start, off, 1 % and all of it sampled.

    python -m bench.cost_of_tracing [ROUNDS] [CALLS]

Three real moored on one containerd, each with its own sampler and, where it exports, a collector
that is a process of its own; the calls come from a process of their own. All ways take their turn
within each round, in an order drawn anew. Prints medians, and each against "off".
"""

from __future__ import annotations

import asyncio
import random
import statistics
import subprocess
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bench.site import measured
from tests.real.receiver import receiving
from tests.real.specs import sleeper
from tests.real.wire import Wire

if TYPE_CHECKING:
    from tests.real.moored import Moored
    from tests.real.site import Site

_ITSELF: Final = "bench.cost_of_tracing"
_ROUNDS: Final = 12
_CALLS: Final = 2000
_AT_ONCE: Final = 16
_WARM: Final = 2
"""Rounds that are not counted."""
_STARTS: Final = 3
"""In each round, one after the other."""
_LOAD_WITHIN: Final = 120.0
_RATIOS: Final = {"off": None, "1 %": "0.01", "100 %": "1.0"}


@dataclass(frozen=True)
class Way:
    name: str
    daemon: Moored
    wire: Wire
    container: str
    inspects: list[float]
    """Per second."""
    starts: list[float]
    """Milliseconds."""


def _sampling(ratio: str) -> dict[str, str]:
    return {
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": ratio,
        "OTEL_METRICS_EXPORTER": "none",
    }


async def _way(site: Site, name: str, ratio: str | None, to: str, held: AsyncExitStack) -> Way:
    daemon = site.moored()
    if ratio:
        daemon.spans_to, daemon.variables = to, _sampling(ratio)
    daemon.start()
    daemon.import_image(site.archive)
    wire = await held.enter_async_context(Wire(daemon.address))
    container = await held.enter_async_context(wire.running(sleeper()))
    return Way(name, daemon, wire, container.id, [], [])


async def _inspects(way: Way, calls: int) -> float:
    """Return how many a second another process gets."""
    command = [sys.executable, "-m", _ITSELF, "--load", way.daemon.address, way.container]
    done = await asyncio.to_thread(
        subprocess.run, [*command, str(calls)], capture_output=True, check=True,
        timeout=_LOAD_WITHIN,
    )  # fmt: skip
    return float(done.stdout)


async def _start(way: Way) -> float:
    before = time.perf_counter()
    container = await way.wire.run(sleeper())
    took = time.perf_counter() - before
    await way.wire.cleanup(container.id)
    return 1000 * took


async def _measure(site: Site, rounds: int, calls: int) -> None:
    with receiving(site.directory) as receiver:
        async with AsyncExitStack() as held:
            ways = [
                await _way(site, name, ratio, receiver.address, held)
                for name, ratio in _RATIOS.items()
            ]
            for number in range(rounds + _WARM):
                for way in random.sample(ways, len(ways)):
                    rate = await _inspects(way, calls)
                    starts = [await _start(way) for _ in range(_STARTS)]
                    if number >= _WARM:
                        way.inspects.append(rate)
                        way.starts.extend(starts)
            _tell(ways)
        for way in ways:
            way.daemon.stop()
        receiver.file.unlink()


def _tell(ways: list[Way]) -> None:
    off = ways[0]
    for way in ways:
        rate, took = statistics.median(way.inspects), statistics.median(way.starts)
        by_rate = statistics.median(a / b for a, b in zip(way.inspects, off.inspects, strict=True))
        by_time = statistics.median(a / b for a, b in zip(way.starts, off.starts, strict=True))
        print(
            f"{way.name:6} Inspect {rate:7.0f}/s  x{by_rate:.2f}"
            f"   Start p50 {took:6.1f} ms  x{by_time:.2f}  min {min(way.starts):6.1f} ms"
        )


async def _load(address: str, container: str, calls: int) -> None:
    async with Wire(address) as wire:
        await wire.inspect(container)

        async def some() -> None:
            for _ in range(calls // _AT_ONCE):
                await wire.inspect(container)

        before = time.perf_counter()
        await asyncio.gather(*(some() for _ in range(_AT_ONCE)))
        print((calls // _AT_ONCE) * _AT_ONCE / (time.perf_counter() - before))


def main() -> None:
    if sys.argv[1:2] == ["--load"]:
        address, container = sys.argv[2:4]
        asyncio.run(_load(address, container, int(sys.argv[4])))
        return
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else _ROUNDS
    calls = int(sys.argv[2]) if len(sys.argv) > 2 else _CALLS
    measured(lambda site: _measure(site, rounds, calls))


if __name__ == "__main__":
    main()
