"""Process groups: who is in one, and how all of it ends.

A plugin leads its group, and what it starts stays in there unless it takes care not to.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

DIES_WITHIN: Final = 5.0
"""Seconds that the kernel has to end what was killed."""
_PROC: Final = Path("/proc")
_ENDED: Final = frozenset("ZX")


def end_group(leader: int) -> None:
    """Kill all of a group, and return once each of its processes has ended, or after 5 s."""
    deadline = time.monotonic() + DIES_WITHIN
    while (members := living(leader)) and time.monotonic() < deadline:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(leader, signal.SIGKILL)
        for pid in members:
            _await_end(pid, deadline)


def living(leader: int) -> list[int]:
    """Return the processes of a group that have not ended: a zombie has."""
    return [pid for pid, state, group in _processes() if group == leader and state not in _ENDED]


def carries(pid: int, entry: bytes) -> bool:
    """Whether ``entry``, as in ``KEY=value``, is in the environment of a process."""
    try:
        return entry in (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:  # it has ended
        return False


def _processes() -> Iterator[tuple[int, str, int]]:
    """Yield each process with its state and its group."""
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text(errors="replace")
            except OSError:  # it has ended
                continue
            state, _, group = stat.rpartition(")")[2].split()[:3]
            yield int(entry.name), state, int(group)


def _await_end(pid: int, deadline: float) -> None:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
    finally:
        os.close(descriptor)
