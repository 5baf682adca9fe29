"""What can happen to a container. Past tense for facts, *Requested* for wishes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from moored.model.exits import Exit
from moored.model.intent import Intent
from moored.model.resources import Leftover, Resource
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


@dataclass(frozen=True)
class Started:
    pid: int
    ticks: int
    """When the process began, in the kernel's clock ticks: with the pid, its identity."""
    at: datetime
    timeline: Timeline | None


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


@dataclass(frozen=True)
class Paused:
    at: datetime


@dataclass(frozen=True)
class Resumed:
    at: datetime


@dataclass(frozen=True)
class TaskExited:
    run: int
    exit: Exit


@dataclass(frozen=True)
class RemoveRequested:
    intent: Intent
    at: datetime


@dataclass(frozen=True)
class ResourcesReleased:
    """``released`` are gone; ``leftovers`` were tried and are still there."""

    released: tuple[Resource, ...]
    leftovers: tuple[Leftover, ...] = ()


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
)
