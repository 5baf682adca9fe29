"""Pauses: somebody froze or thawed a task of ours. It is observed, and shown.

containerd's events say when to look; Tasks.Get says what is true.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from loguru import logger

from moored import errors
from moored.containerd.values import Phase
from moored.model.events import Paused, Resumed
from moored.model.identity import parse_run_id
from moored.model.state import Frozen, Running, Stopping

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from moored.containerd.values import Task
    from moored.model.identity import RunId
    from moored.registry import Claim, Registry
    from moored.saga import Clock

_PAUSE: Final = 1.0
"""Seconds before the events are subscribed to again."""


class Hints(Protocol):
    def hints(self) -> AsyncGenerator[RunId | None, None]:
        """Yield runs that were frozen or thawed; None: any may have been, look at all."""
        ...


class Tasks(Protocol):
    async def get(self, run: RunId) -> Task | None: ...
    async def list(self) -> list[Task]: ...


@dataclass(frozen=True, kw_only=True)
class Pauses:
    registry: Registry
    tasks: Tasks
    events: Hints
    clock: Clock

    async def run(self) -> None:
        """Observe until cancelled, whatever becomes of containerd."""
        while True:
            try:
                async with aclosing(self.events.hints()) as hints:
                    async for run in hints:
                        await self._look(run)
            except errors.MooredError as error:
                logger.debug("events of containerd ended: {}", error)
            await asyncio.sleep(_PAUSE)

    async def _look(self, run: RunId | None) -> None:
        tasks = await self.tasks.list() if run is None else [await self.tasks.get(run)]
        for task in tasks:
            if task is not None:
                await self._observe(task)

    async def _observe(self, task: Task) -> None:
        named = parse_run_id(task.run)
        if named is None or not self.registry.knows(named[0]):
            return
        snapshot = self.registry.peek(named[0]).snapshot
        if snapshot.run != named[1] or not _differs(snapshot.state, task.phase):
            return
        try:
            async with self.registry.claim(named[0]) as claim:
                await self._apply(claim, task)
        except errors.ContainerNotFound:
            return

    async def _apply(self, claim: Claim, task: Task) -> None:
        now = await self.tasks.get(claim.run_id)
        if claim.run_id != task.run or now is None or not _differs(claim.snapshot.state, now.phase):
            return
        event = Paused if now.phase is Phase.PAUSED else Resumed
        await claim.apply(event(self.clock.now()))


def _differs(state: object, phase: Phase) -> bool:
    if phase is Phase.PAUSED:
        return isinstance(state, Running | Stopping)
    return phase is Phase.RUNNING and isinstance(state, Frozen)
