"""Wait: look at the published pictures until one meets the condition. Takes no claim."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from moored import errors
from moored.model.exits import Origin
from moored.model.health import HealthState
from moored.model.spec import checkup_of
from moored.model.state import (
    Created,
    Exited,
    Frozen,
    Removing,
    Running,
    Starting,
    Stopping,
    Stranded,
)

if TYPE_CHECKING:
    from datetime import timedelta

    from moored.directory import Directory, View
    from moored.model.state import Snapshot


class Condition(StrEnum):
    RUNNING = "running"
    EXITED = "exited"
    REMOVED = "removed"
    NEXT_EXIT = "exited again"
    HEALTHY = "healthy"


@dataclass(frozen=True)
class WaitOutcome:
    reached: bool
    view: View


@dataclass(frozen=True)
class Waiter:
    directory: Directory

    async def wait(self, reference: str, condition: Condition, timeout: timedelta) -> WaitOutcome:
        """Return once ``condition`` is met, or after ``timeout``, whichever comes first."""
        subject = self.directory.find(reference)
        before = subject.view.snapshot

        def met(view: View) -> bool:
            if condition is Condition.HEALTHY and not (view.gone or subject.restarters):
                _refuse_hopeless(view.snapshot)
            return view.gone or _met(condition, before, view.snapshot)

        try:
            async with asyncio.timeout(timeout.total_seconds()):
                view = await subject.until(met)
        except TimeoutError:
            view = subject.view
        reached = _met(condition, before, view.snapshot) or (
            view.gone and condition is Condition.REMOVED
        )
        if view.gone and not reached:
            raise errors.ContainerNotFound(
                f"cannot wait for container {reference!r}: it was removed before it was"
                f" {condition}",
                container=view.snapshot.id,
            )
        return WaitOutcome(reached, view)


def _met(condition: Condition, before: Snapshot, snapshot: Snapshot) -> bool:
    match condition:
        case Condition.RUNNING:
            return _ran(snapshot)
        case Condition.EXITED:
            return _over(snapshot)
        case Condition.NEXT_EXIT:
            return _ended_since(before, snapshot)
        case Condition.HEALTHY:
            healthy = snapshot.health.state is HealthState.HEALTHY
            return healthy and isinstance(snapshot.state, Running)
        case Condition.REMOVED:
            return False


def _refuse_hopeless(snapshot: Snapshot) -> None:
    """Refuse to wait for a health that nobody looks at."""
    container = snapshot.id
    what = f"cannot wait until container {container!r} is healthy"
    if checkup_of(snapshot.spec, snapshot.image) is None:
        raise errors.HealthNotConfigured(f"{what}: it has no health check", container=container)
    if isinstance(snapshot.state, Exited | Stranded | Removing):
        raise errors.ContainerNotRunning(f"{what}: it has ended", container=container)


def _ran(snapshot: Snapshot) -> bool:
    """Whether the last run has a process, or had one: it may be over before anybody asks."""
    if isinstance(snapshot.state, Running | Frozen | Stopping):
        return True
    exit = snapshot.exit
    return exit is not None and exit.origin is not Origin.START_FAILURE


def _ended_since(before: Snapshot, snapshot: Snapshot) -> bool:
    """Whether the run that was under way then, or the one after, has ended."""
    under_way = isinstance(before.state, Starting | Running | Frozen | Stopping)
    awaited = before.run if under_way else before.run + 1
    return snapshot.run > awaited or (snapshot.run == awaited and snapshot.exit is not None)


def _over(snapshot: Snapshot) -> bool:
    match snapshot.state:
        case Exited():
            return True
        case Stranded(exit) | Removing(exit):
            return exit is not None
        case Created():
            return False
        case _:
            return False
