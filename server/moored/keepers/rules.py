"""Rules: what somebody else does to the host's rules does not cut containers off for long.

The kernel tells of every change; now and then everything is looked at all the same, for what it
does not tell of: its switches, and tables from before nftables.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

from loguru import logger

from moored import errors
from moored.uninterrupted import in_thread

_PAUSE: Final = 0.1
"""Seconds between two looks, however much is changed."""
_LOOK_ANYWAY: Final = 15.0
"""Seconds after which everything is looked at."""


class Edge(Protocol):
    async def watched(self) -> int:
        """Return what is readable when somebody changed rules, as soon as that matters."""

    def mend(self, *, thoroughly: bool) -> None: ...


@dataclass(frozen=True)
class RulesKeeper:
    edge: Edge

    async def run(self) -> None:
        """Mend until cancelled."""
        descriptor = await self.edge.watched()
        while True:
            told = await _told_of_change(descriptor)
            try:
                await in_thread(partial(self.edge.mend, thoroughly=not told))
            except errors.MooredError as error:
                logger.warning("cannot mend the rules of the bridge yet: {}", error)
            await asyncio.sleep(_PAUSE)


async def _told_of_change(descriptor: int) -> bool:
    """Wait until the kernel tells of a change, or it is time to look anyway."""
    changed = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(descriptor, changed.set)
    try:
        async with asyncio.timeout(_LOOK_ANYWAY):
            await changed.wait()
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(descriptor)
    return True
