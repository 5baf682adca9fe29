"""Volumes on the disk: a directory each below the server's root. Blocking: for threads.

::

    volumes/NAME/data    what containers see
    volumes/NAME/new     a copy of image content, under way
    volumes/NAME/full    one that is complete, and on its way into data
    trash/NAME.TOKEN     a volume that is being removed, and never comes back

Whoever was cut short leaves one of these: ``new`` is begun again, ``full`` and the trash are gone
on with. Nobody but the owner of the root gets at the directories above ``data``.
"""

from __future__ import annotations

import errno
import os
import secrets
from typing import TYPE_CHECKING, Final

from moored.containerd import mounts
from moored.storage import kernel, trees
from moored.storage import rootfs as roots
from moored.storage.copy_up import copy_up, own_as

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from moored.containerd.values import Mount

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class VolumeDirectories:
    def __init__(self, root: Path) -> None:
        self._volumes: Final = root / "volumes"
        self._trash: Final = root / "trash"

    def path(self, name: str) -> str:
        """Return what a container gets of a volume, there or not."""
        return str(self._volumes / name / "data")

    def make(self, name: str) -> None:
        """Have the volume's directory, empty if it was not there."""
        home = self._home(name)
        data = home / "data"
        try:
            data.mkdir()
        except FileExistsError:
            return
        data.chmod(0o755)

    def fill(
        self, name: str, rootfs: Sequence[Mount], inside: str, go_on: Callable[[], None]
    ) -> None:
        """Give an empty volume what is at ``inside`` in a root filesystem; leave others alone."""
        self.make(name)
        self.settle(name, go_on)
        home = self._home(name)
        if os.listdir(home / "data"):
            return
        (home / "new").mkdir(mode=0o700)
        if _copied(rootfs, inside, home / "new", go_on):
            (home / "new").rename(home / "full")
        self.settle(name, go_on)

    def settle(self, name: str, go_on: Callable[[], None]) -> None:
        """End what a copy that was cut short left: deliver what is complete, drop the rest."""
        home = self._volumes / name
        if (home / "full").exists():
            _deliver(home / "full", home / "data")
        for left in ("full", "new"):
            if (home / left).exists():
                trees.remove(home / left, go_on)

    def discard(self, name: str) -> None:
        """Take a volume out of sight. Once it is in the trash it does not come back."""
        home = self._volumes / name
        if home.exists():
            _refuse_mounted(home)
            pit = self._trash / f"{name}.{secrets.token_hex(4)}"
            pit.mkdir(mode=0o700, parents=True)
            home.rename(pit / "0")

    def empty_trash(self, name: str, go_on: Callable[[], None]) -> None:
        """Delete what was discarded of a volume."""
        for pit in self._pits(name):
            trees.remove(pit, go_on)

    def is_there(self, name: str) -> bool:
        return (self._volumes / name).exists()

    def all(self) -> dict[str, float]:
        """Return the names of all that are here, and since when, in seconds of the epoch."""
        if not self._volumes.exists():
            return {}
        return {home.name: home.stat().st_ctime for home in self._volumes.iterdir()}

    def abandoned(self) -> set[str]:
        """Return the names of the volumes whose removal was cut short."""
        if not self._trash.exists():
            return set()
        return {pit.name.rpartition(".")[0] for pit in self._trash.iterdir()}

    def _home(self, name: str) -> Path:
        home = self._volumes / name
        self._volumes.mkdir(mode=0o700, exist_ok=True)
        home.mkdir(mode=0o700, exist_ok=True)
        return home

    def _pits(self, name: str) -> list[Path]:
        if not self._trash.exists():
            return []
        return [pit for pit in self._trash.iterdir() if pit.name.rpartition(".")[0] == name]


def _copied(rootfs: Sequence[Mount], inside: str, new: Path, go_on: Callable[[], None]) -> bool:
    try:
        with roots.opened(rootfs) as image:
            target = os.open(new, _DIRECTORY)
            try:
                return copy_up(image.root, inside, target, go_on)
            finally:
                os.close(target)
    except roots.Unseen as why:
        raise OSError(f"the image cannot be looked into: {why}") from why


def _refuse_mounted(home: Path) -> None:
    if found := mounts.below(home):
        raise OSError(errno.EBUSY, f"something of the host's is mounted at {str(found[0])!r}")


def _deliver(full: Path, data: Path) -> None:
    """Move a complete copy into its place. What a container has put there meanwhile stays."""
    source, target = os.open(full, _DIRECTORY), os.open(data, _DIRECTORY)
    try:
        for name in os.listdir(source):
            kernel.move_unless_there(name, source, target)
        own_as(source, target)
    finally:
        os.close(source)
        os.close(target)
