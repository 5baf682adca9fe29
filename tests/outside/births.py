"""Which processes a process starts, as the kernel tells whoever listens: also the shortest."""

from __future__ import annotations

import os
import socket
import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_CONNECTOR: Final = 11
_PROCESSES: Final = (1, 1)
"""The connector's group that tells of processes."""
_LISTEN: Final = 1
_DONE: Final = 3
_HEADER: Final = struct.Struct("=IHHII")
_MESSAGE: Final = struct.Struct("=IIIIHH")
_EVENT: Final = struct.Struct("=IIQ")
_BIRTH: Final = struct.Struct("=IIII")
_FORK: Final = 1
_FORCED_BUFFER: Final = 33
"""SO_RCVBUFFORCE."""
_BUFFER: Final = 8 * 2**20
_AT_ONCE: Final = 65536


@contextmanager
def births(parent: int) -> Iterator[list[int]]:
    """Listen while the block runs; the list then has every process that ``parent`` started."""
    born: list[int] = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _CONNECTOR) as listening:
        listening.setsockopt(socket.SOL_SOCKET, _FORCED_BUFFER, _BUFFER)
        listening.bind((0, _PROCESSES[0]))
        listening.send(_asking())
        yield born
        born += (child for mother, child in _told(listening) if mother == parent)


def _asking() -> bytes:
    wish = struct.pack("=I", _LISTEN)
    message = _MESSAGE.pack(*_PROCESSES, 0, 0, len(wish), 0) + wish
    return _HEADER.pack(_HEADER.size + len(message), _DONE, 0, 0, os.getpid()) + message


def _told(listening: socket.socket) -> Iterator[tuple[int, int]]:
    """Yield mother and child of every process, and not of every thread, born until now."""
    listening.setblocking(False)
    while True:
        try:
            data = listening.recv(_AT_ONCE)
        except BlockingIOError:
            return
        event = data[_HEADER.size + _MESSAGE.size :]
        what, _, _ = _EVENT.unpack_from(event)
        if what == _FORK:
            _, mother, thread, child = _BIRTH.unpack_from(event, _EVENT.size)
            if thread == child:
                yield mother, child
