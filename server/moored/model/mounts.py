"""What is mounted in a container beside its root and the standard mounts. Values, and their order.

Law: what is mounted follows from the container's id, its spec and its image alone, so that it can
be told before anything is made, and after a crash.
"""

from __future__ import annotations

import hashlib
import posixpath
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moored.model.identity import ContainerId
    from moored.model.spec import Image, Spec


class MountType(StrEnum):
    BIND = "bind"
    VOLUME = "volume"
    TMPFS = "tmpfs"


class Propagation(StrEnum):
    PRIVATE = "private"
    SLAVE = "slave"
    SHARED = "shared"


@dataclass(frozen=True)
class Mount:
    """One mount as it was asked for. What does not belong to its type is as it is here."""

    type: MountType
    destination: str
    source: str = ""
    """A path on the host, or a volume's name. Empty: an anonymous volume."""
    read_only: bool = False
    recursive: bool = True
    propagation: Propagation = Propagation.PRIVATE
    create_source: bool = False
    no_copy: bool = False
    labels: dict[str, str] = field(default_factory=dict)
    """Of the volume that it creates."""
    size: int = 0
    """Bytes. 0: as the kernel sees fit."""
    mode: int | None = None
    executable: bool = False


@dataclass(frozen=True)
class Placed:
    """One mount of one container."""

    mount: Mount
    destination: str
    """Without anything superfluous."""
    field: str
    """Who asked for it, as a path in the spec."""
    volume: str = ""
    """The volume's name, if it is one."""
    anonymous: bool = False


def placed(container: ContainerId, spec: Spec, image: Image) -> tuple[Placed, ...]:
    """Return all mounts, each after those that its destination may be in."""
    asked = [_placed(container, m, f"spec.mounts[{n}]") for n, m in enumerate(spec.mounts)]
    taken = {one.destination for one in asked}
    implied = [
        _placed(container, Mount(MountType.VOLUME, path), "spec.image")
        for path in dict.fromkeys(map(plain, image.volumes))
        if path not in taken
    ]
    return tuple(sorted((*asked, *implied), key=lambda one: depth(one.destination)))


def volumes(places: tuple[Placed, ...]) -> Iterator[Placed]:
    return (one for one in places if one.mount.type is MountType.VOLUME)


def plain(path: str) -> str:
    """Return an absolute path without double, single-dot and trailing parts."""
    return "/" + posixpath.normpath(path).lstrip("/")


def depth(destination: str) -> int:
    return 0 if destination == "/" else destination.count("/")


def anonymous_name(container: ContainerId, destination: str) -> str:
    """Return the name of a container's own volume: 64 digits that no other container gets."""
    return hashlib.sha256(f"{container}\0{destination}".encode()).hexdigest()


def _placed(container: ContainerId, mount: Mount, where: str) -> Placed:
    destination = plain(mount.destination)
    if mount.type is not MountType.VOLUME:
        return Placed(mount, destination, where)
    name = mount.source or anonymous_name(container, destination)
    return Placed(mount, destination, where, name, anonymous=not mount.source)
