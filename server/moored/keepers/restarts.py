"""Restarts: containers that their policy starts again, each when its wait is over.

That one is wanted is on record before anybody waits for it. A wait ends with the record: what
was stopped, cleaned up, updated or started by hand meanwhile is left alone. A server that ends
starts nothing more, and the next one goes on waiting.
"""

from __future__ import annotations

import asyncio
import heapq
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from loguru import logger

from moored import errors
from moored.model.events import RestartCancelled
from moored.model.follow_up import FollowUp, at_server_start, follow_up
from moored.model.restart import LONGEST_WAIT
from moored.model.state import Restarting

if TYPE_CHECKING:
    from datetime import datetime

    from moored.model.identity import ContainerId
    from moored.model.state import Snapshot
    from moored.owner import Owner
    from moored.registry import Claim, Registry
    from moored.saga import Clock
    from moored.verbs.start import Starter

_PAUSE: Final = 1.0
"""Seconds before a start is tried again that did not even begin."""


@dataclass(kw_only=True)
class Timers:
    """Containers that wait for their moment: at most one moment for each."""

    clock: Clock
    _moments: dict[ContainerId, tuple[float, datetime]] = field(default_factory=dict)
    _order: list[tuple[float, ContainerId]] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def arm(self, snapshot: Snapshot) -> None:
        """Wait until the restart of ``snapshot`` is due, if it has one."""
        if isinstance(snapshot.state, Restarting):
            left = snapshot.state.due - self.clock.now()
            # A clock on the wall may have been put back meanwhile.
            seconds = min(left, LONGEST_WAIT).total_seconds()
            self.arm_in(snapshot.id, snapshot.state.due, seconds)

    def arm_in(self, container: ContainerId, due: datetime, seconds: float) -> None:
        moment = self.clock.seconds() + seconds
        self._moments[container] = (moment, due)
        heapq.heappush(self._order, (moment, container))
        self._changed.set()

    async def next(self) -> tuple[ContainerId, datetime]:
        """Return the first container whose moment has come, and when it was due."""
        while True:
            self._changed.clear()
            left = self._order[0][0] - self.clock.seconds() if self._order else None
            if left is None or left > 0:
                await self._wait(left)
                continue
            moment, container = heapq.heappop(self._order)
            known, due = self._moments.get(container, (None, None))
            if known == moment and due is not None:  # else it was armed anew
                del self._moments[container]
                return container, due

    async def _wait(self, within: float | None) -> None:
        try:
            async with asyncio.timeout(within):
                await self._changed.wait()
        except TimeoutError:
            return


@dataclass(kw_only=True)
class Restarts:
    registry: Registry
    timers: Timers
    starter: Starter
    owner: Owner
    clock: Clock
    _closed: bool = False

    async def run(self) -> None:
        """Start what is due until cancelled. Each start belongs to the service."""
        while True:
            container, due = await self.timers.next()
            if not self._closed:
                self.owner.keep(self._start(container, due), f"restart {container}")

    def close(self) -> None:
        """Start nothing more."""
        self._closed = True

    async def consider(self, claim: Claim) -> None:
        """Ask the policy what follows, where a run's end was put on record without it."""
        if not claim.restarting:
            await self._follow(claim, follow_up(claim.snapshot, self.clock.now()))

    async def resume(self, claim: Claim) -> None:
        """Ask the policy what a server that comes back has to do, and go on waiting."""
        await self._follow(claim, at_server_start(claim.snapshot, self.clock.now()))

    async def _follow(self, claim: Claim, events: FollowUp) -> None:
        if events:
            await claim.apply(*events)
        self.timers.arm(claim.snapshot)

    async def _start(self, container: ContainerId, due: datetime) -> None:
        try:
            await self.starter.start(container, due=due)
        except errors.MooredError as error:
            logger.bind(container=container).warning("restart failed: {}", error)
            await self._if_not_begun(container, due, error)

    async def _if_not_begun(
        self, container: ContainerId, due: datetime, error: errors.MooredError
    ) -> None:
        """Try again, or give up, where the failed start left no record of its own."""
        try:
            async with self.registry.claim(container) as claim:
                state = claim.snapshot.state
                if not isinstance(state, Restarting) or state.due != due:
                    return
                if error.retriable or isinstance(error, errors.PreemptedByCleanup):
                    self.timers.arm_in(container, due, _PAUSE)
                else:
                    await claim.apply(RestartCancelled())
        except errors.ContainerNotFound:
            return
