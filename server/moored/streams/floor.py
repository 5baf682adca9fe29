"""Where what is kept of a file begins: before it there is a hole, and the offsets stay.

Raised before the hole is made. Whoever has read something, and finds the floor still below it,
has read what was written.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_OFFSET: Final = struct.Struct("<Q")


def floor_path(file: Path | str) -> str:
    return f"{file}.floor"


class Floor:
    """The floor of one file, open for reading while it rises."""

    def __init__(self, file: Path | str) -> None:
        try:
            self._fd = os.open(floor_path(file), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:  # of a run from before there were floors
            self._fd = -1

    def read(self) -> int:
        written = os.pread(self._fd, _OFFSET.size, 0) if self._fd >= 0 else b""
        return int(_OFFSET.unpack(written)[0]) if len(written) == _OFFSET.size else 0

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def floor_of(file: Path | str) -> int:
    floor = Floor(file)
    try:
        return floor.read()
    finally:
        floor.close()


def raise_floor(file: Path | str, offset: int) -> bool:
    """Let what is kept of ``file`` begin at ``offset``. False: it has no floor, or is gone.

    Never makes one: what is being removed must not come back.
    """
    try:
        fd = os.open(floor_path(file), os.O_WRONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        os.pwrite(fd, _OFFSET.pack(offset), 0)
        return True
    finally:
        os.close(fd)
