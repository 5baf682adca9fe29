"""What went through the interfaces of a process, as the kernel counts it in a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_HEADINGS: Final = 2
_SENT: Final = 8
"""Where the columns of what was sent begin, after those of what was received."""


@dataclass(frozen=True)
class Counters:
    bytes: int
    packets: int
    errors: int
    dropped: int


@dataclass(frozen=True)
class Traffic:
    received: Counters
    sent: Counters


def of_process(pid: int) -> Mapping[str, Traffic]:
    """Return the traffic of each interface in a process's network; nothing once it has ended."""
    try:
        return read(Path(f"/proc/{pid}/net/dev").read_text())
    except OSError:
        return {}


def read(text: str) -> Mapping[str, Traffic]:
    """Return what ``/proc/net/dev`` says."""
    found: dict[str, Traffic] = {}
    for line in text.splitlines()[_HEADINGS:]:
        name, _, columns = line.rpartition(":")
        numbers = [int(column) for column in columns.split()]
        found[name.strip()] = Traffic(Counters(*numbers[:4]), Counters(*numbers[_SENT : _SENT + 4]))
    return found
