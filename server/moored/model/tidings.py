"""What those who watch are told of each change. Values only: a tiding outlives its container."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from moored.model.events import (
    Event,
    HealthChanged,
    Interfered,
    RestartScheduled,
    StartFailure,
    StartUndone,
    TaskExited,
    VolumeMounted,
    VolumeUnmounted,
)
from moored.model.exits import Exit
from moored.model.identity import ContainerId
from moored.model.state import Snapshot

CREATED: Final = "ContainerCreated"
REMOVED: Final = "Removed"
"""What happens to a container beside the events of its life, which go by their classes' names."""


@dataclass(frozen=True)
class Due:
    """The start that a restart policy asks for."""

    at: datetime
    attempt: int


@dataclass(frozen=True)
class Mounted:
    """A volume in a container."""

    volume: str
    destination: str
    read_only: bool


@dataclass(frozen=True, eq=False)
class Tiding:
    """One change of one container, and what it was after it. Each is one of a kind."""

    revision: int
    at: datetime
    kind: str
    container: ContainerId
    name: str
    image: str
    digest: str
    run: int
    state: str
    """The name of its class."""
    labels: dict[str, str] = field(default_factory=dict)
    exit: Exit | None = None
    failure: StartFailure | None = None
    due: Due | None = None
    message: str = ""
    mounted: Mounted | None = None
    health: str = ""
    """The name of its state, where that has changed."""


def of_container(kind: str, after: Snapshot, *, revision: int, at: datetime) -> Tiding:
    """Return the tiding that a container was CREATED or REMOVED."""
    return Tiding(
        revision=revision,
        at=at,
        kind=kind,
        container=after.id,
        name=after.spec.name,
        image=after.image.name,
        digest=after.image.digest,
        run=after.run,
        state=type(after.state).__name__,
        labels=after.spec.labels,
    )


def of_event(event: Event, after: Snapshot, *, revision: int, at: datetime) -> Tiding:
    """Return the tiding that ``event`` led to ``after``."""
    plain = of_container(type(event).__name__, after, revision=revision, at=at)
    match event:
        case TaskExited(exit=exit):
            return replace(plain, exit=exit)
        case StartUndone(failure=failure):
            return replace(plain, failure=failure)
        case RestartScheduled(due=due, attempt=attempt):
            return replace(plain, due=Due(due, attempt))
        case HealthChanged(health=health):
            return replace(plain, health=health.state)
        case Interfered(what=what):
            return replace(plain, message=what)
        case VolumeMounted() | VolumeUnmounted() as it:
            return replace(plain, mounted=Mounted(it.volume, it.destination, it.read_only))
        case _:
            return plain
