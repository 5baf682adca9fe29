"""Holes in files: the blocks go back to the disk, and size and offsets stay."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_KEEP_SIZE_PUNCH_HOLE: Final = 0x01 | 0x02


def punch(fd: int, end: int) -> None:
    """Give back what a file has before ``end``; it reads as zeros from now on."""
    if end and _fallocate()(fd, _KEEP_SIZE_PUNCH_HOLE, 0, end) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


@cache
def _fallocate() -> Callable[[int, int, int, int], int]:
    function = ctypes.CDLL(None, use_errno=True).fallocate
    function.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    return function
