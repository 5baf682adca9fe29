"""What can happen to a container. Past tense for facts, *Requested* for wishes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from moored.model.exits import Exit
from moored.model.health import Health
from moored.model.intent import Intent
from moored.model.network import Attached
from moored.model.resources import Leftover, Resource
from moored.model.spec import Spec
from moored.model.timeline import Timeline


@dataclass(frozen=True)
class StartFailure:
    """Why a start failed, as the caller was told."""

    reason: str
    message: str
    step: str
    retriable: bool
    at: datetime


@dataclass(frozen=True)
class StartRequested:
    """``resources`` is all that the run may acquire: it is on record before it exists."""

    run: int
    resources: tuple[Resource, ...]
    intent: Intent
    at: datetime
    networks: tuple[Attached, ...] = ()
    """The interfaces that it will have, as far as that is known before."""


@dataclass(frozen=True)
class Started:
    pid: int
    ticks: int
    """When the process began, in the kernel's clock ticks: with the pid, its identity."""
    at: datetime
    timeline: Timeline | None
    networks: tuple[Attached, ...] | None = None
    """The interfaces that it has. None: as they were planned."""


@dataclass(frozen=True)
class StartUndone:
    """A start failed and was rolled back, up to ``leftovers``."""

    exit: Exit
    failure: StartFailure
    leftovers: tuple[Leftover, ...]
    timeline: Timeline | None


@dataclass(frozen=True)
class StopRequested:
    intent: Intent
    at: datetime
    waited_for: bool = True
    """Whether somebody sees to it that the process ends. False: only the intent changes."""


@dataclass(frozen=True)
class RestartScheduled:
    """The restart policy asks for another run."""

    due: datetime
    attempt: int


@dataclass(frozen=True)
class RestartCancelled:
    """The run that the policy asked for is not wanted any more."""


@dataclass(frozen=True)
class OutOfMemory:
    """The kernel killed something of a run for want of memory: not always its first process."""

    run: int
    at: datetime
    kills: int = 0
    """How often it had done so in this run by then."""


@dataclass(frozen=True)
class SpecUpdated:
    """``spec`` differs from the one before in fields that can change."""

    spec: Spec


@dataclass(frozen=True)
class Renamed:
    name: str


@dataclass(frozen=True)
class Paused:
    at: datetime


@dataclass(frozen=True)
class Resumed:
    at: datetime


@dataclass(frozen=True)
class Interfered:
    """Somebody else changed a run in the runtime: ``what`` was found. Changes no state itself."""

    run: int
    what: str


@dataclass(frozen=True)
class HealthChanged:
    """Probing finds something else of a run than before."""

    run: int
    health: Health


@dataclass(frozen=True)
class OutputLost:
    """Some of a run's output could not be kept, from ``since`` on."""

    run: int
    since: datetime


@dataclass(frozen=True)
class TaskExited:
    run: int
    exit: Exit


@dataclass(frozen=True)
class RemoveRequested:
    intent: Intent
    at: datetime
    volumes: bool = False
    """Whether its anonymous volumes go too."""


@dataclass(frozen=True)
class ResourcesReleased:
    """``released`` are gone; ``leftovers`` were tried and are still there."""

    released: tuple[Resource, ...]
    leftovers: tuple[Leftover, ...] = ()


@dataclass(frozen=True)
class VolumeMounted:
    """A run has a volume."""

    volume: str
    destination: str
    read_only: bool


@dataclass(frozen=True)
class VolumeUnmounted:
    """The run that had it is gone, and its mounts with it."""

    volume: str
    destination: str
    read_only: bool


Event: TypeAlias = (
    StartRequested
    | Started
    | StartUndone
    | StopRequested
    | Paused
    | Resumed
    | TaskExited
    | RemoveRequested
    | ResourcesReleased
    | RestartScheduled
    | RestartCancelled
    | OutOfMemory
    | Interfered
    | HealthChanged
    | OutputLost
    | SpecUpdated
    | Renamed
    | VolumeMounted
    | VolumeUnmounted
)
