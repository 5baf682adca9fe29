"""Sweep: try again what could not be released, until it is gone.

One round looks at every container that has leftovers, or whose end was cut short, and whose
claim is free; rounds back off while nothing succeeds. A stop that gave up is begun again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from loguru import logger

from moored import errors
from moored.model.state import Exited, Removing, Restarting, Starting, Stopping, Stranded
from moored.telemetry.background import background
from moored.verbs.interrupted import undo_interrupted
from moored.verbs.remove import remove

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.trace import Tracer

    from moored.keepers.exits import Exits
    from moored.keepers.restarts import Restarts
    from moored.model.identity import ContainerId
    from moored.model.state import Snapshot
    from moored.registry import Claim, Registry
    from moored.saga import Clock
    from moored.verbs.release import Releaser

_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 60.0
"""Seconds between two rounds."""


@dataclass(kw_only=True)
class Sweep:
    registry: Registry
    releaser: Releaser
    exits: Exits
    restarts: Restarts
    clock: Clock
    tracer: Tracer
    unfinished: set[ContainerId]
    """Those whose stop gave up; each is taken out."""
    go_on_stopping: Callable[[ContainerId], None]

    async def run(self) -> None:
        """Sweep until cancelled."""
        pause = _FIRST_PAUSE
        while True:
            await asyncio.sleep(pause)
            tried, done = await self.round()
            pause = _FIRST_PAUSE if done or not tried else min(2 * pause, _LONGEST_PAUSE)

    async def round(self) -> tuple[int, int]:
        """Try each container that needs it once; return how many there were, and were mended."""
        needy = [snapshot for snapshot in self.registry.all() if _needs_sweeping(snapshot)]
        done = 0
        for snapshot in needy:
            try:
                done += await self._mend(snapshot)
            except errors.MooredError as error:
                logger.warning("cannot sweep container {}: {}", snapshot.id, error)
        return len(needy) + self._go_on_stopping(), done

    def _go_on_stopping(self) -> int:
        """Begin each stop again that gave up and is still wanted; return how many there were."""
        waiting = [c for c in self.unfinished if self.registry.knows(c)]
        self.unfinished.clear()
        alive = [c for c in waiting if isinstance(self.registry.peek(c).snapshot.state, Stopping)]
        for container in alive:
            self.go_on_stopping(container)
        return len(alive)

    async def _mend(self, snapshot: Snapshot) -> bool:
        subject = self.registry.find(snapshot.id)
        if subject.lock.locked() or not subject.recovered.is_set():  # somebody is at it
            return False
        run, start = snapshot.run, snapshot.last_start
        with background(self.tracer, "sweep", snapshot.id, run, start):
            async with self.registry.claim(snapshot.id) as claim:
                if not _needs_sweeping(claim.snapshot):
                    return True
                await self._release(claim)
                return subject.view.gone or not _needs_sweeping(claim.snapshot)

    async def _release(self, claim: Claim) -> None:
        snapshot = claim.snapshot
        match snapshot.state:
            case Starting():
                await undo_interrupted(claim, releaser=self.releaser, clock=self.clock)
                await self.restarts.consider(claim)
            case Removing():
                await remove(claim, snapshot.intent, releaser=self.releaser, clock=self.clock)
            case Exited() | Restarting():
                await self.exits.release(claim)
            case _:
                rows = await self.releaser.release_all(
                    leftover.resource for leftover in snapshot.leftovers
                )
                await claim.apply(*self.releaser.events(snapshot, rows))
                await self.restarts.consider(claim)


def _needs_sweeping(snapshot: Snapshot) -> bool:
    match snapshot.state:
        case Starting() | Removing() | Stranded():
            return True
        case Exited() | Restarting():
            return any(not resource.kept for resource in snapshot.resources)
        case _:
            return bool(snapshot.leftovers)
