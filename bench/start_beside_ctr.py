"""How long Start takes beside ``ctr run -d`` on the same containerd, in turns, in one run.

    python -m bench.start_beside_ctr [ROUNDS]

Both start ``sleep`` from the same image with an output to files or none, and both are cleaned
up outside the time that is taken. Prints milliseconds and the ratio of the medians.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

from bench.site import measured
from tests.real.specs import sleeper
from tests.real.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.real.site import Site

_ROUNDS: Final = 30
_IMAGE: Final = "docker.io/library/busybox:latest"


async def _start(wire: Wire) -> float:
    before = time.perf_counter()
    container = await wire.run(sleeper())
    took = time.perf_counter() - before
    await wire.cleanup(container.id)
    return took


async def _ctr(site: Site, instance: str) -> float:
    ctr = ["ctr", "--address", site.containerd.address.socket, "--namespace", instance]
    before = time.perf_counter()
    await _run(*ctr, "run", "--detach", "--null-io", _IMAGE, "bench", "sleep", "100000")
    took = time.perf_counter() - before
    await _run(*ctr, "task", "kill", "--signal", "SIGKILL", "bench")
    await _run(*ctr, "task", "delete", "--force", "bench")
    await _run(*ctr, "container", "delete", "bench")
    return took


async def _run(*words: object) -> None:
    command = [str(word) for word in words]
    await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True, timeout=60)


async def _measure(site: Site, rounds: int) -> None:
    daemon = site.start_moored()
    async with Wire(daemon.address) as wire:
        ways: dict[str, Callable[[], Awaitable[float]]] = {
            "Start": lambda: _start(wire),
            "ctr run -d": lambda: _ctr(site, daemon.instance),
        }
        took: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(rounds + 2):
            for name in random.sample(list(ways), len(ways)):
                seconds = await ways[name]()
                if number >= 2:  # the first rounds warm everybody up
                    took[name].append(1000 * seconds)
        for name, values in took.items():
            print(f"{name:12} median {statistics.median(values):6.1f}  min {min(values):6.1f} ms")
        ratio = statistics.median(took["Start"]) / statistics.median(took["ctr run -d"])
        print(f"Start takes {ratio:.2f} of the time of ctr run -d, which it is paired with")


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else _ROUNDS
    measured(lambda site: _measure(site, rounds))


if __name__ == "__main__":
    main()
