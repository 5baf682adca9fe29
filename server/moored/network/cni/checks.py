"""Looking after attachments when somebody asks: never beside anything else of the same run.

Plugins may count on being called one at a time for a container. A look waits for the one before;
a detach ends the look that is under way, and there is none as long as it takes.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from moored.network.cni.records import AttachmentId


class Checks:
    def __init__(self, check: Callable[[AttachmentId], Awaitable[bool]]) -> None:
        self._check = check
        self._under_way: dict[str, asyncio.Task[bool]] = {}
        self._detaching: Counter[str] = Counter()

    async def check(self, id_: AttachmentId) -> bool:
        """Return whether all plugins found it good; False too where a detach came in between."""
        while (before := self._under_way.get(id_.run)) and not before.done():
            await asyncio.wait((before,))
        if self._detaching[id_.run]:
            return False
        task = self._under_way[id_.run] = asyncio.ensure_future(self._look(id_))
        task.add_done_callback(partial(self._ended, id_.run))
        try:
            return await task
        except asyncio.CancelledError:
            if self._detaching[id_.run]:
                return False
            raise

    @asynccontextmanager
    async def kept_out(self, run: str) -> AsyncIterator[None]:
        self._detaching[run] += 1
        try:
            if task := self._under_way.get(run):
                task.cancel()
                await asyncio.wait((task,))
            yield
        finally:
            self._detaching[run] -= 1
            self._detaching += Counter()  # forgets those that are done

    async def _look(self, id_: AttachmentId) -> bool:
        return await self._check(id_)

    def _ended(self, run: str, task: asyncio.Task[bool]) -> None:
        if self._under_way.get(run) is task:
            del self._under_way[run]
