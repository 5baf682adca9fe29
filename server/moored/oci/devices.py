"""Devices of the host's as the host has them now, and as the runtime spec has them."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moored.model.security import DeviceRule
    from moored.oci.defaults import Json

MOST: Final = 1024
"""Devices that a directory may have: more, and it is none of devices."""
EVERYTHING: Final = {"allow": True, "access": "rwm"}
_NEVER: Final = frozenset({"pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev"})
"""Below /dev: what every container has of its own."""
_CONSOLE: Final = "console"


@dataclass(frozen=True)
class Node:
    path: str
    """On the host."""
    kind: str
    """c or b."""
    major: int
    minor: int
    mode: int
    uid: int
    gid: int


@dataclass(frozen=True)
class Given:
    """A device, where the container sees it, and what it may do with it."""

    node: Node
    destination: str
    access: str

    @property
    def device(self) -> Json:
        node = self.node
        return {
            "path": self.destination,
            "type": node.kind,
            "major": node.major,
            "minor": node.minor,
            "fileMode": node.mode,
            "uid": node.uid,
            "gid": node.gid,
        }

    @property
    def rule(self) -> Json:
        node = self.node
        numbers = {"major": node.major, "minor": node.minor}
        return {"allow": True, "type": node.kind, **numbers, "access": self.access}


def find(path: str) -> Node | None:
    """Return the device at ``path``, links followed, or None where there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    if not stat.S_ISCHR(status.st_mode) and not stat.S_ISBLK(status.st_mode):
        return None
    return Node(
        path=path,
        kind="c" if stat.S_ISCHR(status.st_mode) else "b",
        major=os.major(status.st_rdev),
        minor=os.minor(status.st_rdev),
        mode=stat.S_IMODE(status.st_mode),
        uid=status.st_uid,
        gid=status.st_gid,
    )


def below(directory: str) -> list[Node]:
    """Return the devices at and below ``directory``, or the one that it is; at most MOST."""
    if (node := find(directory)) is not None:
        return [node]
    found: list[Node] = []
    for place, names, files in os.walk(directory):
        names[:] = sorted(set(names) - _NEVER)
        nodes = (os.path.join(place, name) for name in sorted(files))
        # A link leads to what its reader has there: /dev/stdin is everybody's own.
        found += filter(None, (find(node) for node in nodes if not os.path.islink(node)))
        if len(found) > MOST:
            break
    return found[:MOST]


def all_of_host() -> Iterator[Node]:
    """Yield every device below /dev but the console, which is each container's own."""
    return (node for node in below("/dev") if Path(node.path).name != _CONSOLE)


def rule(asked: DeviceRule) -> Json:
    """Return what the runtime spec says for a rule by numbers."""
    shown: Json = {"allow": True, "type": asked.type or "a", "access": asked.access or "rwm"}
    numbers = {"major": asked.major, "minor": asked.minor}
    return shown | {name: number for name, number in numbers.items() if number is not None}
