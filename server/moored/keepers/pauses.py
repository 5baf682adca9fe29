"""Pauses: somebody froze or thawed a task of ours. It is observed, and shown.

containerd's events say when to look; Tasks.Get says what is true.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from loguru import logger

from moored import errors
from moored.containerd.events import Following, PauseSeen, ResumeSeen
from moored.containerd.values import Phase
from moored.model.events import Paused, Resumed
from moored.model.identity import RunId, parse_run_id
from moored.model.state import Frozen, Running, Stopping

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from moored.containerd.events import Event
    from moored.containerd.values import Task
    from moored.registry import Claim, Registry
    from moored.saga import Clock

_PAUSE: Final = 1.0
"""Seconds before the events are subscribed to again."""


class Events(Protocol):
    def follow(self) -> AsyncIterator[Event]: ...


class Tasks(Protocol):
    async def get(self, run: RunId) -> Task | None: ...
    async def list(self) -> list[Task]: ...


@dataclass(frozen=True, kw_only=True)
class Pauses:
    registry: Registry
    tasks: Tasks
    events: Events
    clock: Clock

    async def run(self) -> None:
        """Observe until cancelled, whatever becomes of containerd."""
        while True:
            try:
                async for event in self.events.follow():
                    await self._look(event)
            except errors.MooredError as error:
                logger.debug("events of containerd ended: {}", error)
            await asyncio.sleep(_PAUSE)

    async def _look(self, event: Event) -> None:
        match event:
            case Following():
                for task in await self.tasks.list():
                    await self._observe(task)
            case PauseSeen(run) | ResumeSeen(run) if parse_run_id(run):
                if (found := await self.tasks.get(RunId(run))) is not None:
                    await self._observe(replace(found, run=run))
            case _:
                return

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
