"""All that an exec has started: the processes of its session.

The runtime makes the process of an exec the leader of a session. What it starts is in there,
wherever its parents have gone, unless it made a session of its own.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from signal import SIGKILL, pidfd_send_signal

from moored.oci import cgroups

_SESSION = 3
"""Where proc(5)'s field 6 is, counted from the end of the command's name."""


def kill_members(cgroup: str, leader: int) -> int:
    """Kill all in the session of ``leader`` that are in ``cgroup``; return how many there were.

    The session's number is free for others once its last process is gone: only what is in the
    run's own cgroup is touched.
    """
    found = 0
    for pid in cgroups.alive(cgroup):
        if pid and pid != leader and _session(pid) == leader:
            found += _kill(pid, leader)
    return found


def _kill(pid: int, leader: int) -> bool:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        if _session(pid) != leader:  # only now it cannot become another
            return False
        with suppress(ProcessLookupError):
            pidfd_send_signal(descriptor, SIGKILL)
        return True
    finally:
        os.close(descriptor)


def _session(pid: int) -> int:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(stat.rpartition(")")[2].split()[_SESSION])
