"""Interference: what somebody else does to runs of ours is observed, told, and never undone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from loguru import logger

from moored import errors
from moored.containerd.values import Phase
from moored.model.events import Interfered
from moored.model.identity import RunId, parse_run_id, run_id
from moored.model.resources import Kind
from moored.model.state import Frozen, Running, Starting, Stopping

if TYPE_CHECKING:
    from moored.containerd.values import Task
    from moored.model.state import Snapshot
    from moored.registry import Registry


class Tasks(Protocol):
    async def get(self, run: RunId) -> Task | None: ...


@dataclass(frozen=True, kw_only=True)
class Strangers:
    """Tasks that have the name of a run of ours, and were started by somebody else."""

    registry: Registry
    tasks: Tasks

    async def look(self, run: str) -> None:
        """Tell of a task that runs under the name of a run that has ended, or never was.

        Every start of ours comes by here too: only what still runs under a claim is a stranger.
        """
        named = parse_run_id(run)
        if named is None or not self.registry.knows(named[0]):
            return
        container, number = named
        if _accounted_for(self.registry.peek(container).snapshot, number):
            return
        try:
            async with self.registry.claim(container) as claim:
                task = await self.tasks.get(RunId(run))
                if task is None or task.phase not in (Phase.RUNNING, Phase.PAUSED):
                    return
                if not _accounted_for(claim.snapshot, number):
                    what = f"a task {run} was started"
                    await claim.apply(interference(claim.snapshot, what, run=number))
        except errors.ContainerNotFound:
            return


def interference(snapshot: Snapshot, what: str, *, run: int | None = None) -> Interfered:
    """Warn of what was found, and return the event that tells of it."""
    run = snapshot.run if run is None else run
    logger.bind(container=snapshot.id, run=run).warning("somebody else interfered: {}", what)
    return Interfered(run, what)


def _accounted_for(snapshot: Snapshot, run: int) -> bool:
    alive = isinstance(snapshot.state, Starting | Running | Frozen | Stopping)
    if alive and snapshot.run == run:
        return True
    name = run_id(snapshot.id, run)
    return any(r.kind is Kind.TASK and r.key == name for r in snapshot.resources)
