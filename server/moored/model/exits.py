"""How a run ended. The first true exit of a run is kept for ever; what nobody saw is no 0."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

COMMAND_NOT_FOUND: Final = 127
COMMAND_NOT_EXECUTABLE: Final = 126
START_FAILED: Final = 128
NOT_KNOWN: Final = 255
_LAST_SIGNAL: Final = 64


class Origin(StrEnum):
    PROCESS = "process"
    SIGNAL = "signal"
    START_FAILURE = "start failure"
    OOM = "oom"
    """The kernel killed it for want of memory."""
    RUNTIME = "runtime"
    """The runtime's own clean-up of a dead shim: what the process did is not known."""
    HOST_REBOOT = "host reboot"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Exit:
    code: int
    origin: Origin
    at: datetime
    signal: int = 0


def of_process(status: int, at: datetime) -> Exit:
    """Return what a wait status of the runtime says.

    The runtime reports 128 + n for a process that signal n ended, and cannot be told from one
    that returned that number by itself, as shells do for their children.
    """
    signal = status - 128
    if 0 < signal <= _LAST_SIGNAL:
        return Exit(status, Origin.SIGNAL, at, signal)
    return Exit(status, Origin.PROCESS, at)


def out_of_memory(exit: Exit) -> Exit:
    """Return ``exit``, by SIGKILL, as the kernel's doing: it killed for want of memory."""
    return replace(exit, origin=Origin.OOM, signal=0)


def unseen(origin: Origin, at: datetime) -> Exit:
    """Return the exit of a run that is over, and that nobody saw end."""
    return Exit(NOT_KNOWN, origin, at)
