"""Unix sockets as the kernel sees them: how long their paths may be, and who listens."""

from __future__ import annotations

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


def listener(path: str) -> int:
    """Return the pid of the process that listens at ``path``, or 0. Does not wait for it."""
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as end:
        end.setblocking(False)
        try:
            end.connect(path)
        except OSError:
            return 0
        packed = end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid: int = _CREDENTIALS.unpack(packed)[0]
    return pid
