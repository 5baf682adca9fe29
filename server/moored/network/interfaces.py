"""What went over the interfaces of a network namespace, as the kernel counts it for a process."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_LOOPBACK: Final = "lo"
_COLUMNS: Final = 16
"""Eight of what was received, eight of what was sent."""


@dataclass(frozen=True)
class Traffic:
    name: str
    received_bytes: int
    received_packets: int
    received_errors: int
    received_dropped: int
    sent_bytes: int
    sent_packets: int
    sent_errors: int
    sent_dropped: int


def of_process(pid: int) -> tuple[Traffic, ...] | None:
    """Return what went over each interface that ``pid`` sees, but loopback; None: it is gone.

    Nothing where it is in our own network, which is the host's.
    """
    try:
        if os.path.samefile(f"/proc/{pid}/ns/net", "/proc/self/ns/net"):
            return ()
        return parse(Path(f"/proc/{pid}/net/dev").read_text())
    except OSError:
        return None


def parse(table: str) -> tuple[Traffic, ...]:
    """Read proc_pid_net(5)'s table of devices."""
    found: list[Traffic] = []
    for line in table.splitlines():
        name, colon, numbers = line.rpartition(":")
        counts = numbers.split()
        if not colon or len(counts) < _COLUMNS or name.strip() == _LOOPBACK:
            continue
        received, sent = map(int, counts[:4]), map(int, counts[8:12])
        found.append(Traffic(name.strip(), *received, *sent))
    return tuple(found)
