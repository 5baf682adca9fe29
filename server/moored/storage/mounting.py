"""Mounts on the host: made by the kernel's own calls, and taken away whatever is below them.

Laws: a place is a directory that only root can reach; a mount is one at its place or nothing was
done; taking away what is gone is no error; what is busy is detached, so that nobody finds it by
its path any more, and the log says so.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from loguru import logger

from moored.storage import kernel, runs, user_namespaces

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from moored.model.id_maps import IdMaps
    from moored.model.identity import RunId

_NOSUID: Final = 0x2
_NODEV: Final = 0x4
_NOEXEC: Final = 0x8
_BIND: Final = 0x1000
_DETACH: Final = 0x2
_NOFOLLOW: Final = 0x8
_HARMLESS: Final = _NOSUID | _NODEV | _NOEXEC
_MOUNTS: Final = Path("/proc/self/mountinfo")
_POINT: Final = 4
_ESCAPED: Final = re.compile(r"\\([0-7]{3})")


class Kernel(Protocol):
    """What mounts. Every refusal is an OSError."""

    def tmpfs(self, place: str, options: str) -> None:
        """Mount an empty one that holds no devices, and from which nothing is executed."""
        ...

    def bind(self, source: str, place: str) -> None: ...

    def mapped(self, binds: Mapping[str, str], maps: IdMaps) -> None:
        """Mount directories (values) at places (keys), with what they hold owned by ``maps``."""
        ...

    def unmappable(self, directory: str) -> str:
        """Return why what is in ``directory`` cannot be mounted so, or an empty text."""
        ...

    def points(self) -> list[str]:
        """Return every place where something is mounted: twice where it is twice."""
        ...

    def unmount(self, place: str, *, lazily: bool) -> None: ...


class HostKernel:
    """The kernel that runs us."""

    def tmpfs(self, place: str, options: str) -> None:
        _checked(_libc().mount(b"tmpfs", os.fsencode(place), b"tmpfs", _HARMLESS, options.encode()))

    def bind(self, source: str, place: str) -> None:
        _checked(_libc().mount(os.fsencode(source), os.fsencode(place), None, _BIND, None))

    def mapped(self, binds: Mapping[str, str], maps: IdMaps) -> None:
        with user_namespaces.opened(maps) as namespace:
            for place, source in binds.items():
                tree = kernel.clone_mapped(source, namespace)
                try:
                    kernel.attach(tree, place)
                finally:
                    os.close(tree)

    def unmappable(self, directory: str) -> str:
        return user_namespaces.unmappable(directory)

    def points(self) -> list[str]:
        return list(_points(_MOUNTS.read_bytes()))

    def unmount(self, place: str, *, lazily: bool) -> None:
        flags = _NOFOLLOW | (_DETACH if lazily else 0)
        _checked(_libc().umount2(os.fsencode(place), flags))


class Places:
    """Directories below one directory of the state, each with a mount at it."""

    def __init__(self, root: Path, kernel: Kernel) -> None:
        self._root: Final = root
        self._kernel: Final = kernel

    def path(self, name: str) -> Path:
        return self._root / name

    def make(self, name: str) -> Path:
        """Return a directory with nothing mounted at it yet."""
        place = self.path(name)
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.clear(name)
        place.mkdir(mode=0o700)
        return place

    def runs(self) -> list[RunId]:
        """Return the runs that have a directory here, mounted or not."""
        return runs.in_directory(self._root)

    def clear(self, name: str) -> bool:
        """Unmount all at or below a place, innermost first, and remove it with its places."""
        place = self.path(name)
        mounted = [point for point in self._kernel.points() if Path(point).is_relative_to(place)]
        for point in reversed(mounted):
            self._unmount(point)
        try:
            for below in os.listdir(place):  # which nothing is in: what was mounted is not any more
                (place / below).rmdir()
            place.rmdir()
        except FileNotFoundError:
            return bool(mounted)
        return True

    def _unmount(self, point: str) -> None:
        try:
            self._kernel.unmount(point, lazily=False)
        except OSError as error:
            if error.errno == errno.EINVAL:  # somebody else was faster
                return
            if error.errno != errno.EBUSY:
                raise
            logger.warning("mount {} is in use: it is detached, and ends with its last user", point)
            with suppress(FileNotFoundError):
                self._kernel.unmount(point, lazily=True)


def _points(table: bytes) -> Iterator[str]:
    """Yield the mount points of mountinfo, which writes odd bytes in octal."""
    for line in os.fsdecode(table).splitlines():
        field = line.split(" ")[_POINT]
        yield _ESCAPED.sub(lambda match: chr(int(match[1], 8)), field)


@cache
def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    text = ctypes.c_char_p
    libc.mount.argtypes = (text, text, text, ctypes.c_ulong, text)
    return libc


def _checked(result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
