"""What is mounted here, and how it comes off."""

from __future__ import annotations

import ctypes
import errno
import os
import re
from pathlib import Path
from typing import Final

_MOUNTS: Final = Path("/proc/self/mountinfo")
_ESCAPE: Final = re.compile(rb"\\([0-7]{3})")
_DETACH: Final = 2
_NOFOLLOW: Final = 8

_libc: Final = ctypes.CDLL(None, use_errno=True)


def below(directory: Path) -> list[Path]:
    """Return every mount at or under ``directory``, the last first: the order of unmounting."""
    points = [_point(line) for line in _MOUNTS.read_bytes().splitlines()]
    return [point for point in reversed(points) if point.is_relative_to(directory)]


def unmount(point: Path) -> None:
    """Unmount what was mounted last at ``point``; out of sight at least, if it is in use."""
    try:
        _umount(point, _NOFOLLOW)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOENT):  # no mount any more
            return
        if error.errno != errno.EBUSY:
            raise
        _umount(point, _NOFOLLOW | _DETACH)


def _umount(point: Path, flags: int) -> None:
    if _libc.umount2(os.fsencode(point), flags) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(point))


def _point(line: bytes) -> Path:
    field = line.split(b" ")[4]
    return Path(os.fsdecode(_ESCAPE.sub(lambda match: bytes([int(match[1], 8)]), field)))
