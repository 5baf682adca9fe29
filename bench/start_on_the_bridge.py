"""How long Start takes on the bridge beside one without a network, in turns, in one run.

    python -m bench.start_on_the_bridge [ROUNDS]

All start ``sleep`` and are cleaned up outside the time that is taken. "bridge, first" has to make
the bridge, "bridge" finds it there: another container is on it. Prints milliseconds, the ratios of
the medians, and how many processes moored started meanwhile, as the kernel tells.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

from bench.site import measured
from tests.outside.births import births
from tests.real.specs import sleeper
from tests.real.wire import Wire

if TYPE_CHECKING:
    from tests.real.site import Site

_ROUNDS: Final = 40
_WARM: Final = 3
"""Rounds that are not counted."""
_BARE: Final = "none"
_WAYS: Final = (_BARE, "bridge", "bridge, first")


async def _start(wire: Wire, way: str) -> float:
    async with AsyncExitStack() as held:
        if way == "bridge":
            await held.enter_async_context(wire.running(sleeper(network="bridge")))
        spec = sleeper(network=way.partition(",")[0])
        before = time.perf_counter()
        container = await wire.run(spec)
        took = time.perf_counter() - before
        await wire.cleanup(container.id)
        return took


async def _measure(site: Site, rounds: int) -> None:
    daemon = site.start_moored()
    took: dict[str, list[float]] = {way: [] for way in _WAYS}
    started = 0
    async with Wire(daemon.address) as wire:
        for number in range(rounds + _WARM):
            for way in random.sample(_WAYS, len(_WAYS)):
                with births(daemon.pid) as born:
                    seconds = await _start(wire, way)
                started += len(born)
                if number >= _WARM:
                    took[way].append(1000 * seconds)
    bare = statistics.median(took[_BARE])
    for way, values in took.items():
        median = statistics.median(values)
        print(
            f"{way:14} median {median:6.1f}  min {min(values):6.1f} ms  ratio {median / bare:.2f}"
        )
    print(f"processes that moored started meanwhile: {started}")


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else _ROUNDS
    measured(lambda site: _measure(site, rounds))


if __name__ == "__main__":
    main()
