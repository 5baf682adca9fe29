"""What a container that writes without pause costs moored, and whoever asks it meanwhile.

    python -m bench.chatty_container [SECONDS]

A real moored on a private containerd; a container writes about 200 MB/s, first to nowhere, then to
its stdout for nobody, then for one who is attached and reads nothing. Prints the rate, moored's own
processor time, and how long Inspect takes, asked by a process of its own; removes all that it
started.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.site import measured
from tests.real.conversations import attached
from tests.real.latency import measure
from tests.real.specs import shell, sleeper
from tests.real.wire import Wire

if TYPE_CHECKING:
    from tests.real.moored import Moored
    from tests.real.site import Site

_SECONDS: Final = 8.0
_CHATTY: Final = "while :; do dd if=/dev/zero bs=1M count=20 2>/dev/null; usleep 60000; done"
_AS_BUSY: Final = _CHATTY.replace("dd if=", "dd of=/dev/null if=")
"""The same work for the processors, and no output: what the machine itself does to Inspect."""
_TICKS: Final = os.sysconf("SC_CLK_TCK")


def _processor_seconds(pid: int) -> float:
    """Return the processor time that a process has had, in user and kernel mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _written(daemon: Moored, container: str) -> int:
    return (daemon.root / "output" / container / "1" / "stdout").stat().st_size


async def _figures(daemon: Moored, seconds: float, chatty: str, inspected: str) -> str:
    """Return rate and moored's share of a processor, and then what Inspect takes."""
    began, size = time.monotonic(), _written(daemon, chatty) if chatty else 0
    used = _processor_seconds(daemon.pid)
    await asyncio.sleep(seconds)  # the time that is measured
    took = time.monotonic() - began
    used = _processor_seconds(daemon.pid) - used
    rate = (_written(daemon, chatty) - size) / took / 1e6 if chatty else 0.0
    middle, late = await asyncio.to_thread(measure, daemon.address, seconds, inspected)
    asked = f"Inspect p50 {middle:5.2f}  p99 {late:5.2f} ms"
    return f"{rate:4.0f} MB/s  moored {100 * used / took:4.1f} % CPU  {asked}"


async def _measure(site: Site, seconds: float) -> None:
    daemon = site.start_moored()
    async with Wire(daemon.address) as wire, wire.running(sleeper()) as quiet:
        await asyncio.to_thread(measure, daemon.address, 1.0, quiet.id)
        print("nothing written      ", await _figures(daemon, seconds, "", quiet.id))
        async with wire.running(shell(_AS_BUSY)):
            print("as busy, and silent  ", await _figures(daemon, seconds, "", quiet.id))
        async with wire.running(shell(_CHATTY)) as chatty:
            print("nobody attached      ", await _figures(daemon, seconds, chatty.id, chatty.id))
        async with wire.running(shell(_CHATTY)) as chatty, attached(wire, chatty.id) as deaf:
            await deaf.hear()
            print("one attached and deaf", await _figures(daemon, seconds, chatty.id, chatty.id))


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else _SECONDS
    measured(lambda site: _measure(site, seconds))


if __name__ == "__main__":
    main()
