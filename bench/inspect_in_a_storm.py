"""How long Inspect takes while 16 callers start, stop, pause and clean up 20 containers.

    python -m bench.inspect_in_a_storm [SECONDS]

Calm and storm in turns, moored scheduled as usual and before others (SCHED_RR), in one run. Who
measures is a process of its own that is scheduled before others, so that what is measured is moored
and not the wait for a processor of whoever asks. Prints milliseconds; removes all that it started.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.site import measured
from tests.real.specs import sleeper
from tests.real.storm import storm
from tests.real.wire import Wire

if TYPE_CHECKING:
    from tests.real.moored import Moored
    from tests.real.site import Site

_SECONDS: Final = 20.0
_WATCHED: Final = "watched"


async def _figures(moored: Moored, seconds: float) -> str:
    """Measure from a process of its own, and return what it prints: p50 and p99."""
    process = await asyncio.create_subprocess_exec(
        *("chrt", "--rr", "1", sys.executable, "-m", "tests.real.latency"),
        *(moored.address, str(seconds), _WATCHED),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    p50, p99 = out.decode().split()
    return f"p50 {float(p50):6.2f}  p99 {float(p99):6.2f} ms"


def _schedule_first(moored: Moored) -> None:
    policy, parameter = os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1)
    for thread in Path(f"/proc/{moored.pid}/task").iterdir():
        os.sched_setscheduler(int(thread.name), policy, parameter)


async def _measure(site: Site, seconds: float) -> None:
    moored = site.start_moored()
    async with Wire(moored.address) as wire:
        async with wire.running(sleeper(name=_WATCHED)):
            print("calm                  ", await _figures(moored, seconds / 4))
            for first in (False, True):
                if first:
                    _schedule_first(moored)
                blowing = asyncio.create_task(storm(wire, seconds + 1))
                how = "first   " if first else "as usual"
                print(f"storm, moored {how}", await _figures(moored, seconds))
                await blowing
        for container in await wire.list():
            await wire.remove(container.id)


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else _SECONDS
    measured(lambda site: _measure(site, seconds))


if __name__ == "__main__":
    main()
