"""All that carries bytes between callers and what runs in a container, let go of as one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from moored.model.identity import RunId
    from moored.model.state import Snapshot
    from moored.verbs.exec_book import ExecBook
    from moored.verbs.stdin import Stdins


@dataclass(frozen=True, kw_only=True)
class RunStreams:
    execs: ExecBook
    stdins: Stdins
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the service ends: whoever is attached is told so."""

    async def end_run(self, run: RunId) -> bool:
        """End every exec of a run and let go of its FIFOs; return whether there was anything.

        Whoever is attached reads on until the output is whole, and is told the end by it.
        """
        self.stdins.drop(run)
        return await self.execs.end_run(run)

    def recover(self, snapshot: Snapshot) -> None:
        """Take up what a moored before this one left of a run that goes on."""
        self.execs.recover(snapshot.id, snapshot.run)
        self.stdins.recover(snapshot)

    async def close(self) -> None:
        """End what is connected to callers. A second time changes nothing."""
        self.closing.set()
        await self.execs.close()
        await self.stdins.close()
