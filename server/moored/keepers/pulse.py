"""The runtime's pulse: does containerd answer, and is it another one than before?

Nothing waits for this but a health check and GetServerInfo: verbs find out by themselves.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from loguru import logger

from moored import errors

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_PAUSE: Final = 2.0
"""Seconds between two looks."""


class Told(Protocol):
    async def __call__(self, *, reachable: bool) -> None: ...


@dataclass(kw_only=True)
class Pulse:
    ask: Callable[[], Awaitable[object]]
    """Asks containerd for something small, within a limit of its own."""
    reachable: bool = True
    changed: Told | None = None
    """Whoever is told each time that containerd stops answering, or answers again."""

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(_PAUSE)

    async def look(self) -> None:
        try:
            await self.ask()
        except errors.MooredError as error:
            await self._set(False, str(error))
        else:
            await self._set(True, "")

    async def _set(self, reachable: bool, why: str) -> None:
        if reachable is self.reachable:
            return
        self.reachable = reachable
        if reachable:
            logger.info("containerd answers again")
        else:
            logger.warning("containerd does not answer: {}", why)
        if self.changed is not None:
            await self.changed(reachable=reachable)
