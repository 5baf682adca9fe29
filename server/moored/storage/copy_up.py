"""What an image has at a path, copied into an empty directory. Blocking: for threads.

Laws: nothing is followed out of the image or out of the target; owners, modes, times, extended
attributes and hard links are those of the image; sockets are left out, since nobody listens.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from moored.storage import kernel

if TYPE_CHECKING:
    from collections.abc import Callable

_INSIDE: Final = kernel.BENEATH | kernel.NO_SYMLINKS
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY
_PIECE: Final = 4 * 2**20
"""Bytes copied between two looks at whether to go on."""
_NOT_OURS: Final = ("trusted.overlay.", "user.overlay.")
"""Attributes by which overlays remember something about their own layers."""


def copy_up(image: int, inside: str, target: int, go_on: Callable[[], None]) -> bool:
    """Copy the directory ``inside`` of an image into ``target``. False: there is none.

    Both are open directories; ``go_on`` is called often, and may raise.
    """
    try:
        source = kernel.open_path(inside, _DIRECTORY, kernel.IN_ROOT, within=image)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        _Copy(source, target, go_on).run()
    finally:
        os.close(source)
    return True


@dataclass
class _Copy:
    source: int
    target: int
    go_on: Callable[[], None]
    links: dict[tuple[int, int], str] = field(default_factory=dict)
    """Where a file with several names was first met."""

    def run(self) -> None:
        waiting, met = deque(["."]), list[str]()
        while waiting:
            place = waiting.popleft()
            met.append(place)
            waiting.extend(self._entries(place))
        for place in reversed(met):  # what is put into a directory changes its time
            self._finish(place)

    def _entries(self, place: str) -> list[str]:
        """Copy what is in one directory, and return the directories among it."""
        source = self._open(self.source, place)
        try:
            target = self._open(self.target, place)
            try:
                return [
                    f"{place}/{name}"
                    for name in os.listdir(source)
                    if self._one(source, target, name, place)
                ]
            finally:
                os.close(target)
        finally:
            os.close(source)

    def _open(self, root: int, place: str) -> int:
        return kernel.open_path(place, _DIRECTORY, _INSIDE, within=root)

    def _one(self, source: int, target: int, name: str, place: str) -> bool:
        """Copy one entry, and return whether it is a directory."""
        self.go_on()
        about = os.stat(name, dir_fd=source, follow_symlinks=False)
        kind = stat.S_IFMT(about.st_mode)
        if kind == stat.S_IFDIR:
            os.mkdir(name, 0o700, dir_fd=target)
            return True
        if kind == stat.S_IFSOCK or self._linked(about, target, name, place):
            return False
        if kind == stat.S_IFREG:
            self._file(source, target, name, about)
        elif kind == stat.S_IFLNK:
            os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
        else:
            os.mknod(name, about.st_mode, about.st_rdev, dir_fd=target)
        if kind != stat.S_IFREG:
            _own_entry(source, target, name, about)
        return False

    def _linked(self, about: os.stat_result, target: int, name: str, place: str) -> bool:
        """Whether this is another name of a file that is there already, and was given it."""
        if about.st_nlink == 1:
            return False
        first = self.links.setdefault((about.st_dev, about.st_ino), f"{place}/{name}")
        if first == f"{place}/{name}":
            return False
        directory, _, called = first.rpartition("/")
        held = self._open(self.target, directory)
        try:
            os.link(called, name, src_dir_fd=held, dst_dir_fd=target, follow_symlinks=False)
        finally:
            os.close(held)
        return True

    def _file(self, source: int, target: int, name: str, about: os.stat_result) -> None:
        flags = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        read = os.open(name, os.O_RDONLY | flags, dir_fd=source)
        try:
            new = os.O_WRONLY | os.O_CREAT | os.O_EXCL | flags
            written = os.open(name, new, 0o600, dir_fd=target)
            try:
                self._content(read, written, about.st_size)
                _own(read, written, about)
            finally:
                os.close(written)
        finally:
            os.close(read)

    def _content(self, read: int, written: int, size: int) -> None:
        """Copy what was written, and leave the holes in between."""
        at = 0
        while at < size:
            try:
                begin = os.lseek(read, at, os.SEEK_DATA)
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
                break
            at = os.lseek(read, begin, os.SEEK_HOLE)
            self._piece(read, written, begin, at)
        os.ftruncate(written, size)

    def _piece(self, read: int, written: int, begin: int, end: int) -> None:
        os.lseek(written, begin, os.SEEK_SET)
        while begin < end:
            self.go_on()
            sent = os.sendfile(written, read, begin, min(_PIECE, end - begin))
            if not sent:
                return
            begin += sent

    def _finish(self, place: str) -> None:
        source, target = self._open(self.source, place), self._open(self.target, place)
        try:
            _own(source, target, os.fstat(source))
        finally:
            os.close(source)
            os.close(target)


def own_as(source: int, target: int) -> None:
    """Give an open file or directory owner, attributes, mode and times of another."""
    _own(source, target, os.fstat(source))


def _own(source: int, target: int, about: os.stat_result) -> None:
    os.fchown(target, about.st_uid, about.st_gid)  # first: it takes set-uid and capabilities away
    _attributes(source, target)
    os.fchmod(target, stat.S_IMODE(about.st_mode))
    os.utime(target, ns=(about.st_atime_ns, about.st_mtime_ns))


def _own_entry(source: int, target: int, name: str, about: os.stat_result) -> None:
    """The same for what cannot be opened."""
    os.chown(name, about.st_uid, about.st_gid, dir_fd=target, follow_symlinks=False)
    _attributes(f"/proc/self/fd/{source}/{name}", f"/proc/self/fd/{target}/{name}")
    if not stat.S_ISLNK(about.st_mode):
        os.chmod(name, stat.S_IMODE(about.st_mode), dir_fd=target)
    times = (about.st_atime_ns, about.st_mtime_ns)
    os.utime(name, ns=times, dir_fd=target, follow_symlinks=False)


def _attributes(source: int | str, target: int | str) -> None:
    follow = isinstance(source, int)
    for name in os.listxattr(source, follow_symlinks=follow):
        if name.startswith(_NOT_OURS):
            continue
        value = os.getxattr(source, name, follow_symlinks=follow)
        try:
            os.setxattr(target, name, value, follow_symlinks=follow)
        except OSError as error:  # the volume's file system has none of this kind
            if error.errno != errno.ENOTSUP:
                raise
