"""Removing a whole tree of files, whatever somebody made of it. Blocking: for threads.

Laws: no link is followed, no mount is entered, any depth takes the same few descriptors; what was
cut short goes on where it stood.
"""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING, Final

from moored.storage import kernel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove(pit: Path, go_on: Callable[[], None]) -> None:
    """Remove ``pit``, a directory of our own, and all below it; ``go_on`` may raise in between.

    A directory that holds others is not descended into: they are moved up into the pit first.
    """
    bottom = os.open(pit, _DIRECTORY)
    try:
        taken = set(os.listdir(bottom))
        fresh = (name for name in map(str, itertools.count()) if name not in taken)
        while names := os.listdir(bottom):
            for name in names:
                go_on()
                _remove(bottom, name, fresh, go_on)
    finally:
        os.close(bottom)
    pit.rmdir()


def _remove(bottom: int, name: str, fresh: Iterator[str], go_on: Callable[[], None]) -> None:
    try:
        os.unlink(name, dir_fd=bottom)
    except IsADirectoryError:
        _hollow(bottom, name, fresh, go_on)
        os.rmdir(name, dir_fd=bottom)


def _hollow(bottom: int, name: str, fresh: Iterator[str], go_on: Callable[[], None]) -> None:
    """Take everything out of a directory: directories into the pit, the rest away."""
    inside = kernel.open_path(name, _DIRECTORY, kernel.BENEATH | kernel.NO_XDEV, within=bottom)
    try:
        for entry in os.listdir(inside):
            go_on()
            try:
                os.unlink(entry, dir_fd=inside)
            except IsADirectoryError:
                os.rename(entry, next(fresh), src_dir_fd=inside, dst_dir_fd=bottom)
    finally:
        os.close(inside)
