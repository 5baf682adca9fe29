"""Pauses: somebody froze or thawed a task of ours. It is observed, and shown.

Whoever hears of it says when to look; Tasks.Get says what is true.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from moored import errors
from moored.containerd.values import Phase
from moored.keepers.interference import interference
from moored.model.events import Paused, Resumed
from moored.model.identity import RunId, parse_run_id
from moored.model.state import Frozen, Running, Stopping

if TYPE_CHECKING:
    from moored.containerd.values import Task
    from moored.registry import Claim, Registry
    from moored.saga import Clock


class Tasks(Protocol):
    async def get(self, run: RunId) -> Task | None: ...


@dataclass(frozen=True, kw_only=True)
class Pauses:
    registry: Registry
    tasks: Tasks
    clock: Clock

    async def look(self, run: str) -> None:
        """Observe one run, if it is one of ours."""
        if parse_run_id(run) and (found := await self.tasks.get(RunId(run))) is not None:
            await self.observe(replace(found, run=run))

    async def observe(self, task: Task) -> None:
        """Put on record that ``task`` is frozen, or is not, where the record says otherwise."""
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
        paused = now.phase is Phase.PAUSED
        what = "paused" if paused else "resumed"
        event = Paused(self.clock.now()) if paused else Resumed(self.clock.now())
        await claim.apply(event, interference(claim.snapshot, f"it was {what}"))


def _differs(state: object, phase: Phase) -> bool:
    if phase is Phase.PAUSED:
        return isinstance(state, Running | Stopping)
    return phase is Phase.RUNNING and isinstance(state, Frozen)
