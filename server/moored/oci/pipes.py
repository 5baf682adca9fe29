"""The pipes between a container's first process and its shim, by /proc alone.

A shim copies from them into files. Its end can be opened again while it lives, by whoever may look
into /proc/<pid>/fd.
"""

from __future__ import annotations

import array
import fcntl
import os
import termios
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PARENT: Final = 1
"""Where proc(5)'s field 4 is, counted from the end of the command's name."""
_SHIM: Final = "containerd-shim"
_STREAMS: Final = (1, 2)
"""The descriptors of stdout and stderr."""


@dataclass(frozen=True)
class Pipe:
    """The reading end of one stream, as its shim has it open."""

    number: int
    """1: stdout. 2: stderr."""
    path: str
    name: str
    """The kernel's, which no other pipe has."""

    def pending(self) -> int:
        """Return how many bytes wait in it. OSError: it is gone."""
        fd = self.open()
        try:
            waiting = array.array("i", [0])
            fcntl.ioctl(fd, termios.FIONREAD, waiting)
            return waiting[0]
        finally:
            os.close(fd)

    def open(self) -> int:
        """Return another reading end of the same pipe, which never blocks."""
        return os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)


def of_process(pid: int) -> list[Pipe]:
    """Return the pipes that ``pid`` still writes its streams to, and its shim reads."""
    with suppress(OSError):
        shim = _parent(pid)
        if _SHIM not in Path(f"/proc/{shim}/cmdline").read_text():
            return []
        ends = _reading_ends(shim)
        names = ((number, _target(f"/proc/{pid}/fd/{number}")) for number in _STREAMS)
        return [Pipe(number, ends[name], name) for number, name in names if name in ends]
    return []


def _reading_ends(shim: int) -> dict[str, str]:
    """Return the pipes that a shim reads from, by name."""
    found: dict[str, str] = {}
    for number in os.listdir(f"/proc/{shim}/fd"):
        path = f"/proc/{shim}/fd/{number}"
        name = _target(path)
        if name.startswith("pipe:[") and _reads(shim, number):
            found[name] = path
    return found


def _reads(pid: int, number: str) -> bool:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/fdinfo/{number}").read_text().splitlines():
            key, _, value = line.partition(":")
            if key == "flags":
                return int(value, 8) & os.O_ACCMODE == os.O_RDONLY
    return False


def _parent(pid: int) -> int:
    stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    return int(stat.rpartition(")")[2].split()[_PARENT])


def _target(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
