"""The kernel's inotify: one descriptor that tells which watched files changed.

Every watch is for one change: the kernel drops it with the event, so that a file which is
written without pause costs its writer and its reader one event for each time it is watched.
"""

from __future__ import annotations

import ctypes
import os
import struct
from functools import cache
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

MODIFIED: Final = 0x00000002
ATTRIBUTES: Final = 0x00000004
"""Also sent when a name of the file is removed, even while somebody has it open."""
OVERFLOW: Final = 0x00004000
ONE_SHOT: Final = 0x80000000
CHANGE: Final = MODIFIED | ATTRIBUTES | ONE_SHOT

_HEADER: Final = struct.Struct("=iIII")
"""Watch, mask, cookie, length of the name that follows (none: we watch files)."""
_BATCH: Final = 1 << 16


class Notifier(Protocol):
    """What tells that files changed. Every refusal is an OSError."""

    def fileno(self) -> int: ...

    def close(self) -> None: ...

    def watch(self, path: str) -> int:
        """Return the number of a watch for the next change of the file."""
        ...

    def unwatch(self, number: int) -> None:
        """Drop a watch. One that has fired is gone already."""
        ...

    def fired(self) -> list[int] | None:
        """Return the watches that are gone: fired, or their file deleted. None: some got lost."""
        ...


class Inotify:
    """The notifier that the kernel is."""

    def __init__(self) -> None:
        self._fd = _checked(_libc().inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))

    def fileno(self) -> int:
        return self._fd

    def close(self) -> None:
        os.close(self._fd)

    def watch(self, path: str) -> int:
        return _checked(_libc().inotify_add_watch(self._fd, os.fsencode(path), CHANGE))

    def unwatch(self, number: int) -> None:
        _libc().inotify_rm_watch(self._fd, number)

    def fired(self) -> list[int] | None:
        try:
            events = os.read(self._fd, _BATCH)
        except BlockingIOError:
            return []
        numbers = []
        for number, mask in _parsed(events):
            if mask & OVERFLOW:
                return None
            numbers.append(number)
        return numbers


def _parsed(events: bytes) -> Iterator[tuple[int, int]]:
    at = 0
    while at < len(events):
        number, mask, _, length = _HEADER.unpack_from(events, at)
        yield number, mask
        at += _HEADER.size + length


@cache
def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.inotify_add_watch.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32)
    return libc


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
