"""Hints: what containerd tells of tasks while it happens, and who is to look then.

An event says when to look, never what is true. What was missed while nobody followed is looked
for as soon as somebody follows again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from loguru import logger

from moored import errors
from moored.containerd.events import ExitSeen, Following, OomSeen, PauseSeen, ResumeSeen, StartSeen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from moored.containerd.events import Event
    from moored.containerd.values import Task
    from moored.keepers.interference import Strangers
    from moored.keepers.memory import Memory
    from moored.keepers.pauses import Pauses

_PAUSE: Final = 1.0
"""Seconds before the events are subscribed to again."""


class Events(Protocol):
    def follow(self) -> AsyncIterator[Event]: ...


class Tasks(Protocol):
    async def list(self) -> list[Task]: ...


class Waits(Protocol):
    def told(self, process: tuple[str, str]) -> None: ...
    def all_told(self) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Hints:
    tasks: Tasks
    events: Events
    pauses: Pauses
    memory: Memory
    strangers: Strangers
    waits: Waits

    async def run(self) -> None:
        """Follow until cancelled, whatever becomes of containerd."""
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
                self.waits.all_told()
                for task in await self.tasks.list():
                    await self.pauses.observe(task)
                    await self.memory.look(task.run)
                    await self.strangers.look(task.run)
            case ExitSeen(run=run, exec_id=exec_id):
                self.waits.told((run, exec_id))
            case StartSeen(run):
                await self.strangers.look(run)
            case PauseSeen(run) | ResumeSeen(run):
                await self.pauses.look(run)
            case OomSeen(run):
                self.memory.hint(run)
            case _:
                return
