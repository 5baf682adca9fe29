"""Pause and Resume: freeze every process of a container, and thaw them.

What the runtime says afterwards is what counts: a call whose answer was lost, or that somebody
else was faster with, is found to have happened.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from moored import errors
from moored.containerd.values import Phase
from moored.model.events import Paused, Resumed
from moored.model.state import Frozen, Running, Stopping
from moored.verbs.turns import not_running

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from moored.containerd.values import Task
    from moored.model.identity import RunId
    from moored.model.state import Snapshot
    from moored.registry import Claim
    from moored.saga import Clock
    from moored.verbs.turns import Turns


class Tasks(Protocol):
    async def pause(self, run: RunId) -> bool: ...
    async def resume(self, run: RunId) -> bool: ...
    async def get(self, run: RunId) -> Task | None: ...


@dataclass(frozen=True, kw_only=True)
class Pauser:
    turns: Turns
    tasks: Tasks
    clock: Clock

    async def pause(self, reference: str, *, generation: int | None = None) -> Snapshot:
        return await self.turns.take("pause", reference, generation, self._pause)

    async def resume(self, reference: str, *, generation: int | None = None) -> Snapshot:
        return await self.turns.take("resume", reference, generation, self._resume)

    async def _pause(self, claim: Claim) -> Snapshot:
        match claim.snapshot.state:
            case Frozen():
                return claim.snapshot
            case Running():
                await self._bring("pause", claim, Phase.PAUSED, self.tasks.pause(claim.run_id))
                return await claim.apply(Paused(self.clock.now()))
            case Stopping():
                raise not_running(claim, "pause", "it is being stopped")
            case _:
                raise not_running(claim, "pause", "it has no process")

    async def _resume(self, claim: Claim) -> Snapshot:
        match claim.snapshot.state:
            case Running():
                return claim.snapshot
            case Frozen():
                await self._bring("resume", claim, Phase.RUNNING, self.tasks.resume(claim.run_id))
                return await claim.apply(Resumed(self.clock.now()))
            case Stopping():
                raise not_running(claim, "resume", "it is being stopped")
            case _:
                raise not_running(claim, "resume", "it has no process")

    async def _bring(self, verb: str, claim: Claim, phase: Phase, call: Awaitable[bool]) -> None:
        """Let ``call`` bring the task to ``phase``, or find it there already."""
        ended = partial(not_running, claim, verb, "its process has just ended")
        try:
            if not await call:
                raise ended()
        except errors.RuntimeRefused as refused:
            task = await self.tasks.get(claim.run_id)
            if task is None or task.exit is not None:
                raise ended() from refused
            if task.phase is not phase:
                raise
