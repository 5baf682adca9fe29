"""Unix sockets as the kernel sees them: how long their paths may be, and who listens."""

from __future__ import annotations

import errno
import os
import socket
import struct
from contextlib import closing
from typing import Final

from moored import errors

LONGEST_PATH: Final = 107
"""Bytes, without the NUL that ends it."""
_CREDENTIALS: Final = struct.Struct("iII")


def check(path: str) -> None:
    """Raise SetupRefused for a path that no socket can have."""
    length = len(os.fsencode(path))
    if length > LONGEST_PATH:
        raise errors.SetupRefused(
            f"cannot use socket {path!r}: the path has {length} bytes, of which"
            f" {LONGEST_PATH} are possible; choose a shorter state directory"
        )


def listened_to(path: str) -> bool:
    """Return whether anybody listens at ``path``. Does not wait for an answer."""
    with closing(_socket()) as end:
        # EAGAIN: more wait there than are let in.
        return end.connect_ex(path) in (0, errno.EAGAIN)


def listener(path: str) -> int:
    """Return the pid of the process that listens at ``path``; 0: none, or none of ours to see."""
    with closing(_socket()) as end:
        if end.connect_ex(path) != 0:
            return 0
        packed = end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid: int = _CREDENTIALS.unpack(packed)[0]
    return pid


def _socket() -> socket.socket:
    end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    end.setblocking(False)
    return end
