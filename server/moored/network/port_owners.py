"""Which process of this host has a port, as far as /proc tells."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moored.model.ports import Protocol

_TABLES: Final = Path("/proc/thread-self/net")
_PROCESSES: Final = Path("/proc")
_PORT, _INODE = 1, 9
"""Columns of the kernel's tables: the local address, and the socket."""


def owner_of(protocol: Protocol, port: int) -> str:
    """Return who has the port, such as ``process 712 (nginx)``; "" where nobody is found."""
    inodes = {f"socket:[{inode}]" for inode in _sockets(protocol, port)}
    if not inodes:
        return ""
    found = next(_holding(inodes), None)
    return f"process {found} ({_name(found)})" if found else "a process that /proc does not show"


def _sockets(protocol: Protocol, port: int) -> Iterator[str]:
    """Inodes of what is bound to the port. Connections that are nearly over have none."""
    for table in (protocol.value, f"{protocol.value}6"):
        try:
            rows = (_TABLES / table).read_text().splitlines()[1:]
        except OSError:  # SCTP has no such table, and IPv6 may be off
            continue
        for row in rows:
            columns = row.split()
            if int(columns[_PORT].rpartition(":")[2], 16) == port and columns[_INODE] != "0":
                yield columns[_INODE]


def _holding(sockets: set[str]) -> Iterator[int]:
    for process in _PROCESSES.iterdir():
        if process.name.isdecimal() and _has_one_of(process, sockets):
            yield int(process.name)


def _has_one_of(process: Path, sockets: set[str]) -> bool:
    try:
        with os.scandir(process / "fd") as descriptors:
            return any(_target(descriptor.path) in sockets for descriptor in descriptors)
    except OSError:  # it ended meanwhile
        return False


def _target(descriptor: str) -> str:
    try:
        return os.readlink(descriptor)
    except OSError:  # it was closed meanwhile
        return ""


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "ended meanwhile"
