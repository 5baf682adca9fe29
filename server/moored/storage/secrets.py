"""The secrets and configs of one run: files in memory, on a mount that root alone reaches.

They are never on a disk: nothing is written before the mount is there, and where the kernel can it
keeps them out of swap too.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from moored.storage.mounting import Places

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from moored.model.identity import RunId
    from moored.storage.mounting import Kernel

_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PAGE: Final = os.sysconf("SC_PAGESIZE")
_SPARE: Final = 16
"""Pages and inodes beyond those of the contents: the directory has some too."""


@dataclass(frozen=True)
class Content:
    """One file, as it is to be."""

    content: bytes = field(repr=False)
    mode: int
    uid: int
    gid: int


class SecretFiles:
    def __init__(self, state: Path, kernel: Kernel) -> None:
        self._places: Final = Places(state / "secrets", kernel)
        self._kernel: Final = kernel

    def paths(self, run: RunId, count: int) -> list[str]:
        """Return where ``count`` files of ``run`` are on the host, or would be."""
        place = self._places.path(run)
        return [str(place / str(number)) for number in range(count)]

    def make(self, run: RunId, contents: Sequence[Content]) -> list[str]:
        """Mount a new tmpfs for ``run`` with ``contents`` in it, and return where each is."""
        place = self._places.make(run)
        self._mount(str(place), contents)
        directory = os.open(place, _DIRECTORY)
        try:
            for number, content in enumerate(contents):
                _write(directory, str(number), content)
        finally:
            os.close(directory)
        return self.paths(run, len(contents))

    def list(self) -> list[RunId]:
        """Return the runs that have some, mounted or not."""
        return self._places.runs()

    def remove(self, run: RunId) -> bool:
        """Empty and unmount those of ``run``, and return whether there was anything."""
        with suppress(FileNotFoundError):
            _empty(self._places.path(run))
        return self._places.clear(run)

    def _mount(self, place: str, contents: Sequence[Content]) -> None:
        pages = sum(-(-len(each.content) // _PAGE) for each in contents) + _SPARE
        options = f"mode=0700,size={pages * _PAGE},nr_inodes={len(contents) + _SPARE}"
        try:
            self._kernel.tmpfs(place, f"{options},noswap")
        except OSError as error:
            if error.errno != errno.EINVAL:  # which is what older kernels say
                raise
            self._kernel.tmpfs(place, options)


def _write(directory: int, name: str, content: Content) -> None:
    descriptor = os.open(name, _NEW_FILE, 0, dir_fd=directory)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content.content)
        file.flush()
        os.fchown(descriptor, content.uid, content.gid)
        os.fchmod(descriptor, content.mode)


def _empty(place: Path) -> None:
    """Leave nothing to read, should something still be there that keeps the mount."""
    for path in place.iterdir():
        if path.is_file() and not path.is_symlink():
            os.truncate(path, 0)
        path.unlink()
