"""Processes of the host, told apart for ever.

A pid alone names another process tomorrow. With the moment it began (in clock ticks since the
boot) and the boot itself it names one process, or none.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_STATE: Final = 0
_FLAGS: Final = 6
_START_TICKS: Final = 19
"""Where proc(5)'s fields 3, 9 and 22 are, counted from the end of the command's name."""
_EXITING: Final = 0x4
"""The kernel's PF_EXITING."""


@dataclass(frozen=True)
class ProcessIdentity:
    pid: int
    start_ticks: int
    boot_id: str


@cache
def boot_id() -> str:
    """Return the name that the kernel gave to this boot."""
    return _BOOT_ID.read_text().strip()


def identity(pid: int) -> ProcessIdentity | None:
    """Return who ``pid`` is now, or None if nobody is: a zombie is nobody."""
    fields = _stat(pid)
    if fields is None or fields[_STATE] in "ZXx":
        return None
    return ProcessIdentity(pid, int(fields[_START_TICKS]), boot_id())


def is_alive(process: ProcessIdentity) -> bool:
    """Return whether this very process runs. A zombie is not alive."""
    return identity(process.pid) == process


def is_ending(pid: int) -> bool:
    """Return whether ``pid`` has exited or is about to: the kernel ends a namespace in between."""
    fields = _stat(pid)
    return fields is None or fields[_STATE] in "ZXx" or bool(int(fields[_FLAGS]) & _EXITING)


async def wait_gone(process: ProcessIdentity, within: float) -> bool:
    """Wait until ``process`` has exited, and return whether it did ``within`` seconds."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return True
    try:
        # Only now: what the descriptor stands for cannot become another process any more.
        if not is_alive(process):
            return True
        async with asyncio.timeout(within):
            await _readable(descriptor)
    except TimeoutError:
        return False
    finally:
        os.close(descriptor)
    return True


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(descriptor, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(descriptor)


def _stat(pid: int) -> list[str] | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command's name is in brackets, and may hold brackets and spaces itself.
    return stat.rpartition(")")[2].split()
