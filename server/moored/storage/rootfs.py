"""A root filesystem that can be looked into, before any container is mounted on it.

Law: nothing is left of a look, however it ends. Layers are put together on no path of the
host's, and come apart with the descriptor. No link of an image's leads out of it.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread
from typing import TYPE_CHECKING, Final

from moored.storage import kernel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from moored.containerd.values import Mount

_LONGEST_OPTION: Final = 255
_PARTS: Final = ("upperdir", "lowerdir")


class Unseen(Exception):
    """Nobody can look into it from here, and why. The runtime may still mount it."""


@dataclass(frozen=True)
class Rootfs:
    """``root`` is the descriptor of its root directory."""

    root: int

    def stat(self, path: str) -> os.stat_result | None:
        """Return what is at ``path``, links followed, or None if nothing is."""
        return self._status(path, 0)

    def is_link(self, path: str) -> bool:
        """Whether ``path`` itself is a link, wherever that leads."""
        status = self._status(path, os.O_NOFOLLOW)
        return status is not None and stat.S_ISLNK(status.st_mode)

    def read(self, path: str, limit: int) -> bytes:
        """Return the first ``limit`` bytes of a regular file; of anything else, none."""
        status = self.stat(path)
        if status is None or not stat.S_ISREG(status.st_mode):
            return b""
        try:
            found = kernel.open_inside(self.root, path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        except OSError:
            return b""
        with os.fdopen(found, "rb") as file:
            return file.read(limit)

    def _status(self, path: str, flags: int) -> os.stat_result | None:
        try:
            found = kernel.open_inside(self.root, path, os.O_PATH | flags)
        except OSError:
            return None
        try:
            return os.fstat(found)
        finally:
            os.close(found)


@contextmanager
def opened(mounts: Sequence[Mount]) -> Iterator[Rootfs]:
    """Open the root filesystem that ``mounts`` make. Blocks: milliseconds at most."""
    root = _open(mounts)
    try:
        yield Rootfs(root)
    finally:
        os.close(root)


@contextmanager
def of_process(pid: int) -> Iterator[Rootfs]:
    """Open the root filesystem as a process sees it, with all that is mounted there."""
    try:
        root = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise Unseen(error.strerror or str(error)) from error
    try:
        yield Rootfs(root)
    finally:
        os.close(root)


def _open(mounts: Sequence[Mount]) -> int:
    if len(mounts) != 1 or mounts[0].type not in ("overlay", "bind"):
        kinds = ", ".join(mount.type for mount in mounts) or "nothing"
        raise Unseen(f"it is made of {kinds}")
    [mount] = mounts
    try:
        if mount.type == "bind":
            return os.open(mount.source, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        return _overlay(mount.options)
    except OSError as error:
        raise Unseen(error.strerror or str(error)) from error


def _overlay(options: Sequence[str]) -> int:
    known = dict(option.partition("=")[::2] for option in options)
    layers = [layer for part in _PARTS if part in known for layer in known[part].split(":")]
    flags = [option for option in options if option == "userxattr"]
    if len(layers) == 1:
        return os.open(layers[0], os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    return _in_directory(os.path.commonpath(layers), layers, flags)


def _in_directory(directory: str, layers: Sequence[str], flags: Sequence[str]) -> int:
    """Put ``layers`` together from ``directory``: an option is short, and paths are long."""
    opened: list[int] = []
    refusals: list[OSError] = []

    def work() -> None:
        try:
            kernel.leave_shared_directory()
            os.chdir(directory)
            short = [os.path.relpath(layer, directory) for layer in layers]
            opened.append(_assembled(short, flags))
        except OSError as error:
            refusals.append(error)

    thread = Thread(target=work, name="rootfs")
    thread.start()
    thread.join()
    if refusals:
        raise refusals[0]
    return opened[0]


def _assembled(layers: Sequence[str], flags: Sequence[str]) -> int:
    filesystem = kernel.open_filesystem("overlay")
    try:
        joined = ":".join(layers)
        if len(os.fsencode(joined)) <= _LONGEST_OPTION:
            kernel.configure(filesystem, "lowerdir", joined)
        else:
            for layer in layers:  # Linux 6.7 and later
                kernel.configure(filesystem, "lowerdir+", layer)
        for flag in flags:
            kernel.configure(filesystem, flag)
        return kernel.mount_nowhere(filesystem)
    finally:
        os.close(filesystem)
