"""Network namespaces under a name of their own, for as long as plugins have to find them.

A plugin's DEL works inside of the namespace, also when every process of it has ended and
moored was another one at its ADD; and CHECK wants the name that ADD was given. A name is a
bind mount below the state directory: what it is mounted on is ours, and taken away with it.
"""

from __future__ import annotations

import ctypes
import errno
import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_MS_BIND: Final = 4096
_MNT_DETACH: Final = 2
_libc: Final = ctypes.CDLL(None, use_errno=True)


class Pins:
    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def path(self, run: str) -> Path:
        return self._directory / run

    def pin(self, run: str, namespace: str) -> None:
        """Name a namespace. One that is named already keeps what it has."""
        place = self.path(run)
        self._directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        if not place.exists():
            place.touch(mode=0o444)
        if not self._is_mounted(place):
            _mount(namespace, place)

    def is_pinned(self, run: str) -> bool:
        place = self.path(run)
        return place.exists() and self._is_mounted(place)

    def all(self) -> list[str]:
        """Return the runs whose namespace has a name, sorted."""
        return sorted(path.name for path in self._directory.glob("*"))

    def unpin(self, run: str) -> bool:
        """Take the name away, and return whether there was one."""
        place = self.path(run)
        if not place.exists():
            return False
        while self._is_mounted(place):
            _unmount(place)
        place.unlink(missing_ok=True)
        return True

    def _is_mounted(self, place: Path) -> bool:
        return place.stat().st_dev != self._directory.stat().st_dev


def _mount(namespace: str, place: Path) -> None:
    arguments = (namespace.encode(), os.fsencode(place), None, _MS_BIND, None)
    if _libc.mount(*arguments) != 0:
        raise _failure(ctypes.get_errno(), f"cannot bind {namespace} to {place}")


def _unmount(place: Path) -> None:
    if _libc.umount2(os.fsencode(place), _MNT_DETACH) != 0:
        number = ctypes.get_errno()
        if number != errno.EINVAL:  # somebody else was faster
            raise _failure(number, f"cannot unmount {place}")


def _failure(number: int, what: str) -> OSError:
    return OSError(number, f"{what}: {os.strerror(number)}")
