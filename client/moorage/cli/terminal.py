"""Our own terminal, while what runs elsewhere has it: raw, and afterwards as it was before."""

from __future__ import annotations

import fcntl
import os
import struct
import termios
import tty
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_SIZE: Final = struct.Struct("HHHH")


class Terminal:
    """The terminal behind a file descriptor."""

    def __init__(self, descriptor: int = 0) -> None:
        self._descriptor = descriptor

    @property
    def is_there(self) -> bool:
        return os.isatty(self._descriptor)

    def size(self) -> tuple[int, int] | None:
        """Return width and height in characters; None where it has none."""
        try:
            told = fcntl.ioctl(self._descriptor, termios.TIOCGWINSZ, bytes(_SIZE.size))
        except OSError:
            return None
        height, width, _, _ = _SIZE.unpack(told)
        return (width, height) if width and height else None

    @contextmanager
    def raw(self) -> Iterator[None]:
        """Pass every key on as it is typed. Afterwards it is as it was, whatever happened."""
        before = termios.tcgetattr(self._descriptor)
        tty.setraw(self._descriptor, termios.TCSANOW)
        try:
            yield
        finally:
            with suppress(termios.error):  # it may have been taken away
                termios.tcsetattr(self._descriptor, termios.TCSADRAIN, before)
