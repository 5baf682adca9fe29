"""How far an import is: one line on stderr that is gone when it is over, and only for people."""

from __future__ import annotations

import sys
from time import monotonic
from typing import TYPE_CHECKING, Final, Self

from moorage.cli.times import size

if TYPE_CHECKING:
    from typing import TextIO

_EVERY: Final = 0.1
_CLEAR: Final = "\r\x1b[K"


class Progress:
    def __init__(self, total: int, *, shown_on: TextIO | None = None) -> None:
        """``total`` 0: nobody knows how much there is."""
        self._stream = sys.stderr if shown_on is None else shown_on
        self._shown = self._stream.isatty()
        self._total = total
        self._done = 0
        self._next = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._show("")

    def add(self, amount: int) -> None:
        """Count ``amount`` bytes more; 0 says that there are no more."""
        self._done += amount
        if not amount:
            self._show(f"sent {size(self._done)}, unpacking")
        elif (now := monotonic()) >= self._next:
            self._next = now + _EVERY
            self._show(f"sent {size(self._done)}{self._share()}")

    def _share(self) -> str:
        if not self._total:
            return ""
        return f" of {size(self._total)} ({100 * self._done // self._total} %)"

    def _show(self, text: str) -> None:
        if self._shown:
            print(f"{_CLEAR}{text}", end="", file=self._stream, flush=True)
