"""Devices of the host's that a spec names: what they are, as the host has them now."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moored.errors import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from moored.model.spec import Spec


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


def lent(spec: Spec) -> Mapping[str, Node]:
    """Return the devices that ``spec`` names and this host has, by their paths."""
    found = {path: find(path) for _, path in _disks(spec)}
    return {path: node for path, node in found.items() if node is not None}


def problems(spec: Spec) -> Iterator[Violation]:
    """Yield each device that ``spec`` names and this host does not have."""
    for field, path in _disks(spec):
        node = find(path)
        if node is None or node.kind != "b":
            yield Violation(field, f"{path!r} is no block device of this host's")


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


def _disks(spec: Spec) -> Iterator[tuple[str, str]]:
    for name in ("blkio_weights", "blkio_throttles"):
        for number, entry in enumerate(getattr(spec.resources, name)):
            yield f"resources.{name}[{number}].path", entry.path
