"""How long Inspect takes while what it might wait for is held: a start, and containerd itself.

    python -m bench.inspect_under_hold [CALLS]

A real moored on a private containerd, the start held in its ``task`` step by a runtime that
blocks, containerd held by SIGSTOP. Prints milliseconds; removes all that it started.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from typing import TYPE_CHECKING, Final

from bench.site import measured
from tests.real.specs import sleeper
from tests.real.wire import Wire

if TYPE_CHECKING:
    from tests.real.site import Site

_CALLS: Final = 1000
_WARM_UP: Final = 200


async def _figures(wire: Wire, container: str, calls: int) -> str:
    took = list[float]()
    for _ in range(calls):
        before = time.perf_counter()
        await wire.inspect(container)
        took.append(1000 * (time.perf_counter() - before))
    took.sort()
    middle, late = statistics.median(took), took[calls * 99 // 100]
    return f"p50 {middle:6.2f}  p99 {late:6.2f}  max {took[-1]:6.2f} ms"


async def _measure(site: Site, calls: int) -> None:
    daemon = site.start_moored()
    async with Wire(daemon.address) as wire:
        async with wire.running(sleeper()) as container:
            await _figures(wire, container.id, _WARM_UP)
            print("nothing held       ", await _figures(wire, container.id, calls))
            site.containerd.pause()
            print("containerd stopped ", await _figures(wire, container.id, calls))
            site.containerd.resume()
        async with wire.created(sleeper(runtime="gated")) as container:
            with site.gate.holding("create"):
                starting = asyncio.create_task(wire.start(container.id))
                await site.gate.arrival()
                print("start held in task ", await _figures(wire, container.id, calls))
            await starting


def main() -> None:
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else _CALLS
    measured(lambda site: _measure(site, calls))


if __name__ == "__main__":
    main()
