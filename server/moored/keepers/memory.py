"""Want of memory: what the kernel killed for it, as the run's own cgroup counts it.

containerd's hints say when to look. They come several times for one kill, some before it is
counted, and none for what happened before containerd began to listen: so nobody counts them, and
the count is looked at once a run is running, a while after a hint, and at the end, before its
cgroup goes.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from loguru import logger

from moored import errors
from moored.model import cgroup_places
from moored.model.events import OutOfMemory
from moored.model.identity import parse_run_id, run_id
from moored.model.state import Frozen, Running, Starting, Stopping
from moored.uninterrupted import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from moored.model.identity import ContainerId
    from moored.model.state import Snapshot
    from moored.owner import Owner
    from moored.registry import Registry
    from moored.saga import Clock

_SETTLES: Final = 0.25
"""Seconds after a hint by which the kill that it hints at is counted."""


@dataclass(frozen=True, kw_only=True)
class Memory:
    instance: str
    registry: Registry
    owner: Owner
    count: Callable[[str], int | None]
    """How often the kernel killed in a cgroup for want of memory; None: nobody counted."""
    clock: Clock
    _hinted: set[str] = field(default_factory=set)
    """Runs that are looked at again in a moment: more hints say nothing new."""

    def hint(self, run: str) -> None:
        """Look at ``run`` now, and again in a moment. Waits for nobody."""
        if run not in self._hinted:
            self._hinted.add(run)
            self.owner.keep(self._look_twice(run), f"look at the memory of {run}")

    async def first_look(self, container: ContainerId, run: int) -> None:
        """Look at a run as soon as it is on record as running."""
        if not self.registry.knows(container):
            return
        subject = self.registry.find(container)
        await subject.until(lambda view: view.gone or not isinstance(view.snapshot.state, Starting))
        await self.look(run_id(container, run))

    async def look(self, run: str) -> None:
        """Put on record what was killed in ``run``, if it is one of ours and lives."""
        named = parse_run_id(run)
        if named is None or not self.registry.knows(named[0]):
            return
        container, number = named
        snapshot = self.registry.peek(container).snapshot
        if not (_lives(snapshot, number) and await self.news(snapshot)):
            return
        try:
            async with self.registry.claim(container) as claim:
                if _lives(claim.snapshot, number):
                    await claim.apply(*await self.news(claim.snapshot))
        except errors.MooredError as error:  # gone, or the ledger fails: the exit will tell
            logger.debug("cannot tell of kills in {}: {}", run, error)

    async def news(self, snapshot: Snapshot) -> tuple[OutOfMemory, ...]:
        """Return what was killed in the last run and is not on record yet: one, or none."""
        cgroup = cgroup_places.of_run(snapshot, self.instance)
        kills = await in_thread(partial(self.count, cgroup))
        if kills is None or kills <= snapshot.oom_kills:
            return ()
        return (OutOfMemory(snapshot.run, self.clock.now(), kills),)

    async def _look_twice(self, run: str) -> None:
        try:
            await self.look(run)
            await asyncio.sleep(_SETTLES)
        finally:
            self._hinted.discard(run)
        await self.look(run)


def _lives(snapshot: Snapshot, run: int) -> bool:
    return snapshot.run == run and isinstance(snapshot.state, Running | Frozen | Stopping)
