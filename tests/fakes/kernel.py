"""A kernel that mounts nothing and remembers what it should have, and that a test may break.

What is mounted at a place is a plain directory here: it can be written, and is there as long as
the mount is. A deed that is to fail can fail before or after it is done.
"""

from __future__ import annotations

import errno
import os
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from moored.model.id_maps import IdMaps

WITHIN: Final = 20.0


class FakeKernel:
    """Every deed is a line of its ``story``."""

    def __init__(self) -> None:
        self.story: list[str] = []
        self.mounted: list[str] = []
        self.options: list[str] = []
        """Of each tmpfs that was asked for."""
        self.unable = ""
        """Why it has no mounts by other ids."""
        self._failures: dict[str, list[tuple[int, bool]]] = {}
        self._holds: dict[str, tuple[threading.Event, threading.Event]] = {}

    def refuse(
        self, deed: str, number: int = errno.EPERM, *, done: bool = False, times: int = 1
    ) -> None:
        """Let the next ``times`` of ``deed`` fail; ``done``: after they had their effect."""
        self._failures.setdefault(deed, []).extend([(number, done)] * times)

    @contextmanager
    def hold(self, deed: str) -> Iterator[threading.Event]:
        """Stop whoever comes to ``deed`` before it is done; yield what is set once one has."""
        reached, released = threading.Event(), threading.Event()
        self._holds[deed] = (reached, released)
        try:
            yield reached
        finally:
            del self._holds[deed]
            released.set()

    def forgive(self) -> None:
        self._failures.clear()

    def tmpfs(self, place: str, options: str) -> None:
        self.options.append(options)
        with self._deed("tmpfs", place):
            self.mounted.append(place)

    def bind(self, source: str, place: str) -> None:
        with self._deed("bind", place):
            self.mounted.append(place)

    def mapped(self, binds: Mapping[str, str], maps: IdMaps) -> None:
        for place in binds:
            with self._deed("mapped", place):
                self.mounted.append(place)

    def unmappable(self, directory: str) -> str:
        return self.unable

    def points(self) -> list[str]:
        return list(self.mounted)

    def unmount(self, place: str, *, lazily: bool) -> None:
        with self._deed("detach" if lazily else "unmount", place):
            if place not in self.mounted:
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
            self.mounted.remove(place)
            for file in Path(place).iterdir():
                file.unlink()

    @contextmanager
    def _deed(self, name: str, place: str) -> Iterator[None]:
        if name in self._holds:
            reached, released = self._holds[name]
            reached.set()
            released.wait(WITHIN)
        failures = self._failures.get(name)
        number, done = failures.pop(0) if failures else (0, True)
        if done:
            yield
            self.story.append(f"{name} {place}")
        if number:
            raise OSError(number, os.strerror(number))
