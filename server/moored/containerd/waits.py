"""Calls that end with a process, however long it lives, and whose answer can be lost.

Law: who waits for an end that was told of, and gets no answer, asks again: containerd answers at
once of what has ended. Nothing is concluded from what was told.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Answer = TypeVar("Answer")
Process: TypeAlias = tuple[str, str]
"""A run, and an exec in it; empty for the run's first process."""

PATIENCE: Final = 1.0
"""Seconds that an answer may come after the event of the same end."""


class Waits:
    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._limits: defaultdict[Process, set[asyncio.Timeout]] = defaultdict(set)

    async def answer(self, process: Process, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """Return what ``ask`` says of the end of ``process``."""
        while True:
            limit = asyncio.timeout(None)
            self._limits[process].add(limit)
            try:
                async with limit:
                    return await ask()
            except TimeoutError:
                continue
            finally:
                self._forget(process, limit)

    def told(self, process: Process) -> None:
        """``process`` seems to have ended: who waits for it is answered soon, or asks again."""
        until = asyncio.get_running_loop().time() + self._patience
        for limit in self._limits.get(process, ()):
            if limit.when() is None:
                limit.reschedule(until)

    def all_told(self) -> None:
        """Ends may have been missed: let everybody ask again."""
        for process in tuple(self._limits):
            self.told(process)

    def _forget(self, process: Process, limit: asyncio.Timeout) -> None:
        self._limits[process].discard(limit)
        if not self._limits[process]:
            del self._limits[process]
