"""What a daemon must have for itself before it serves: its directories, its lock, its sockets.

Everything here refuses with one line that says what is wrong and what to do.
"""

from __future__ import annotations

import fcntl
import grp
import hashlib
import os
import socket
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from moored.config import socket_path
from moored.errors import SetupRefused

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_CONNECT_LIMIT: Final = 1.0
"""Seconds that somebody who listens on a socket has to take a connection."""


def refuse_unless_root() -> None:
    if os.geteuid() != 0:
        raise SetupRefused("cannot start moored: it needs root for containerd, mounts and cgroups")


def make_directories(*directories: Path) -> None:
    for directory in directories:
        try:
            directory.mkdir(mode=0o711, parents=True, exist_ok=True)
        except OSError as error:
            raise SetupRefused(
                f"cannot use directory {str(directory)!r}: {error.strerror}"
            ) from error


class RootLock:
    """One moored per root: the kernel lets go of it when the process ends, however it ends."""

    def __init__(self, root: Path) -> None:
        self._path = root / "lock"
        self._descriptor = -1

    def take(self) -> None:
        try:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise SetupRefused(
                f"cannot use root {str(self._path.parent)!r}: {error.strerror}"
            ) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(self._descriptor, 32, 0).decode().strip() or "unknown"
            self.release()
            raise SetupRefused(
                f"cannot use root {str(self._path.parent)!r}: a moored with pid {holder} uses it;"
                " stop that one, or give this one another --root, --state and --instance"
            ) from error
        with suppress(OSError):  # a full disk: whoever is refused is not told by whom
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class InstanceLock:
    """One moored per instance and containerd: two would take each other's runs for their own.

    The name of an abstract socket, which the kernel frees when the process ends.
    """

    def __init__(self, instance: str, containerd: str) -> None:
        self._instance = instance
        self._containerd = containerd
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

    def take(self) -> None:
        place = hashlib.sha256(os.path.realpath(self._containerd).encode()).hexdigest()[:32]
        try:
            self._socket.bind(f"\0moored/{place}/{self._instance}")
        except OSError as error:
            self._socket.close()
            raise SetupRefused(
                f"cannot be instance {self._instance!r} of {self._containerd}: another moored is;"
                " stop that one, or give this one another --instance"
            ) from error

    def release(self) -> None:
        self._socket.close()


def free_sockets(addresses: Sequence[str]) -> None:
    """Refuse sockets that somebody listens on, and remove what a dead one left behind."""
    for address in addresses:
        if path := socket_path(address):
            make_directories(path.parent)
            if _somebody_listens(path):
                raise SetupRefused(
                    f"cannot listen on {address!r}: somebody does already;"
                    " stop that one, or give this one another --listen"
                )
            path.unlink(missing_ok=True)


def remove_sockets(addresses: Sequence[str]) -> None:
    for address in addresses:
        if path := socket_path(address):
            with suppress(OSError):
                path.unlink(missing_ok=True)


@contextmanager
def socket_mode(mode: int) -> Iterator[None]:
    """Let sockets be made with ``mode`` from their first moment."""
    before = os.umask(0o777 & ~mode)
    try:
        yield
    finally:
        os.umask(before)


def give_to_group(addresses: Sequence[str], group: str) -> None:
    if not group:
        return
    try:
        number = int(group) if group.isdecimal() else grp.getgrnam(group).gr_gid
    except KeyError as error:
        raise SetupRefused(f"cannot use socket_group {group!r}: there is no such group") from error
    for address in addresses:
        if path := socket_path(address):
            os.chown(path, -1, number)


def _somebody_listens(path: Path) -> bool:
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise SetupRefused(
                f"cannot listen on {str(path)!r}: there is a file that is no socket; move it away"
            )
    except FileNotFoundError:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_CONNECT_LIMIT)
        try:
            probe.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except TimeoutError:
            return True
        except OSError as error:
            raise SetupRefused(f"cannot use socket {str(path)!r}: {error.strerror}") from error
    return True
