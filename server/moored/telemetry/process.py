"""What this process uses of the machine, as the kernel tells."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from moored.telemetry.measures import Measures

_SELF: Final = Path("/proc/self")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_RESIDENT: Final = 1
"""Where /proc/self/statm has the resident pages."""


def watch(measures: Measures, loop: asyncio.AbstractEventLoop) -> None:
    """Let what this process uses be read; ``loop`` is where it does its work."""
    measures.watch("process.memory.usage", "By", "Resident memory", lambda: {"": _resident_bytes()})
    measures.total("process.cpu.time", "s", "Processor time, user and system", _cpu_seconds)
    measures.watch(
        "process.unix.file_descriptor.count",
        "{file_descriptor}",
        "Open file descriptors",
        lambda: {"": _entries("fd")},
    )
    measures.watch("process.thread.count", "{thread}", "Threads", lambda: {"": _entries("task")})
    measures.watch(
        "moored.asyncio.tasks",
        "{task}",
        "What moored does at once, or waits for",
        lambda: {"": len(asyncio.all_tasks(loop))},
    )


def _resident_bytes() -> int:
    return int((_SELF / "statm").read_text().split()[_RESIDENT]) * _PAGE


def _cpu_seconds() -> float:
    used = os.times()
    return used.user + used.system


def _entries(directory: str) -> int:
    return sum(1 for _ in (_SELF / directory).iterdir())
