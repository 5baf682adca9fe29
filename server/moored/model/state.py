"""What a container is, and how it may change. No I/O, no clock, no lock.

``advance`` is the state diagram: whatever it does not name cannot happen. A pid exists only
in a state that has a process, an exit only after one. An event of another run than the
current one never gets here: runs have names of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

from moored.errors import IllegalTransition
from moored.model.events import (
    Event,
    HealthChanged,
    Interfered,
    OutOfMemory,
    OutputLost,
    Paused,
    RemoveRequested,
    Renamed,
    ResourcesReleased,
    RestartCancelled,
    RestartScheduled,
    Resumed,
    SpecUpdated,
    Started,
    StartFailure,
    StartRequested,
    StartUndone,
    StopRequested,
    TaskExited,
    VolumeMounted,
    VolumeUnmounted,
)
from moored.model.exits import Exit
from moored.model.health import NOT_PROBED, Health, at_start
from moored.model.identity import ContainerId
from moored.model.intent import Asker, Intent
from moored.model.network import NONE, Attached
from moored.model.resources import Hold, Leftover, Resource
from moored.model.spec import Image, Spec, checkup_of
from moored.model.timeline import Timeline


@dataclass(frozen=True)
class Created:
    """Recorded, and never started."""


@dataclass(frozen=True)
class Starting:
    since: datetime


@dataclass(frozen=True)
class Running:
    pid: int
    ticks: int
    since: datetime


@dataclass(frozen=True)
class Frozen:
    """Paused by somebody, with its process."""

    pid: int
    ticks: int
    since: datetime


@dataclass(frozen=True)
class Stopping:
    """The stop signal was sent, or is about to be; the process has not exited."""

    pid: int
    ticks: int
    since: datetime


@dataclass(frozen=True)
class Exited:
    exit: Exit


@dataclass(frozen=True)
class Restarting:
    """The last run ended, and the restart policy asks for the next."""

    exit: Exit
    due: datetime
    attempt: int


@dataclass(frozen=True)
class Stranded:
    """Something could not be released: the leftovers name it. Only cleanup may follow."""

    exit: Exit | None


@dataclass(frozen=True)
class Removing:
    exit: Exit | None
    volumes: bool = False
    """Whether its anonymous volumes go too."""


State: TypeAlias = (
    Created | Starting | Running | Frozen | Stopping | Exited | Restarting | Stranded | Removing
)
Alive: TypeAlias = Running | Frozen | Stopping
"""The states that have a process."""


@dataclass(frozen=True)
class Snapshot:
    """One container at one moment. Readers may keep it; nobody can change it."""

    id: ContainerId
    spec: Spec
    image: Image
    runtime: str
    """The runtime's name as it was resolved when the container was created."""
    created: datetime
    network: str = NONE
    """The network mode as it was resolved when the container was created."""
    generation: int = 1
    intent: Intent = Intent()
    state: State = Created()
    run: int = 0
    attempts: int = 0
    """Starts in a row that the restart policy asked for, since one by hand or a steady run."""
    restarts: int = 0
    """All starts that the restart policy asked for, since one by hand."""
    oom_kills: int = 0
    """How often the kernel killed in the last run for want of memory, as far as was told."""
    failure: StartFailure | None = None
    started: datetime | None = None
    """When the process of the current or last run was seen running."""
    resources: tuple[Resource, ...] = ()
    """All that it holds, or may hold, on the host."""
    leftovers: tuple[Leftover, ...] = ()
    """Those of ``resources`` that could not be released."""
    networks: tuple[Attached, ...] = ()
    """The interfaces of the current run: as planned, and once it has a process as they are."""
    last_start: Timeline | None = None
    health: Health = NOT_PROBED
    """What probing found of the current or last run."""
    output_lost: datetime | None = None
    """From when on some output of the current or last run is missing."""
    revision: int = 0

    @property
    def exit(self) -> Exit | None:
        match self.state:
            case Exited(exit) | Restarting(exit) | Stranded(exit) | Removing(exit):
                return exit
            case _:
                return None


def advance(before: Snapshot, event: Event) -> Snapshot:
    """Return the snapshot that follows ``before``, or refuse the event."""
    match before.state, event:
        case Created() | Exited() | Restarting(), StartRequested() if event.run == before.run + 1:
            return _begun(before, event)
        case Starting(), Started():
            return _started(before, event)
        case Starting(), StartUndone():
            return _undone(before, event)
        case Running() | Stopping(), StopRequested(waited_for=False):
            return replace(before, intent=event.intent)
        case Running() | Stopping() as alive, StopRequested():
            state: State = Stopping(alive.pid, alive.ticks, since=event.at)
            return replace(before, state=state, intent=event.intent)
        case Frozen(), StopRequested():  # killed by a cleanup: it thaws as it dies
            return replace(before, intent=event.intent)
        case Created() | Exited() | Stranded(), StopRequested():  # what it is not, it stays
            return replace(before, intent=event.intent)
        case Restarting(exit), StopRequested():
            return replace(before, state=Exited(exit), intent=event.intent)
        case Exited(exit), RestartScheduled():
            return replace(before, state=Restarting(exit, event.due, event.attempt))
        case Restarting(exit), RestartCancelled():
            return replace(before, state=Exited(exit))
        case Running() | Frozen() | Stopping(), OutOfMemory() if event.run == before.run:
            return replace(before, oom_kills=event.kills)
        case Running() | Frozen() | Stopping(), HealthChanged() if event.run == before.run:
            return replace(before, health=event.health)
        case Running() | Frozen() | Stopping(), OutputLost() if event.run == before.run:
            return replace(before, output_lost=event.since)
        case _, Interfered():
            return before
        case _, SpecUpdated() if not isinstance(before.state, Removing):
            return replace(before, spec=event.spec, generation=before.generation + 1)
        case _, Renamed() if not isinstance(before.state, Removing):
            spec = replace(before.spec, name=event.name)
            return replace(before, spec=spec, generation=before.generation + 1)
        case Running() | Stopping() as alive, Paused():
            return replace(before, state=Frozen(alive.pid, alive.ticks, since=event.at))
        case Frozen() as alive, Resumed():
            return replace(before, state=Running(alive.pid, alive.ticks, since=event.at))
        case Running() | Frozen() | Stopping(), TaskExited() if event.run == before.run:
            return replace(before, state=Exited(event.exit), networks=())
        case Created() | Exited() | Restarting() | Stranded() | Removing(), RemoveRequested():
            removing = Removing(before.exit, event.volumes)
            return replace(before, state=removing, intent=event.intent)
        case Starting(), VolumeMounted():
            return before
        case state, VolumeUnmounted() if not isinstance(state, Running | Frozen | Stopping):
            return before
        case Created() | Exited() | Restarting() | Stranded() | Removing(), ResourcesReleased():
            return _released(before, event)
        case _:
            raise IllegalTransition(
                f"cannot apply {event} to container {before.id!r} in {before.state}"
            )


def _begun(before: Snapshot, event: StartRequested) -> Snapshot:
    attempt = before.state.attempt if isinstance(before.state, Restarting) else 0
    by_policy = event.intent.asker is Asker.RESTART_POLICY
    return replace(
        before,
        attempts=attempt if by_policy else 0,
        restarts=before.restarts + 1 if by_policy else 0,
        oom_kills=0,
        state=Starting(since=event.at),
        run=event.run,
        intent=event.intent,
        started=None,
        output_lost=None,
        health=at_start(checkup_of(before.spec, before.image), event.at),
        resources=(*before.resources, *event.resources),
        networks=event.networks,
    )


def _started(before: Snapshot, event: Started) -> Snapshot:
    return replace(
        before,
        state=Running(event.pid, event.ticks, since=event.at),
        failure=None,
        started=event.at,
        health=at_start(checkup_of(before.spec, before.image), event.at),
        resources=tuple(replace(resource, hold=Hold.HELD) for resource in before.resources),
        last_start=event.timeline or before.last_start,
        networks=before.networks if event.networks is None else event.networks,
    )


def _undone(before: Snapshot, event: StartUndone) -> Snapshot:
    left = {leftover.resource for leftover in event.leftovers}
    return replace(
        before,
        state=Stranded(event.exit) if left else Exited(event.exit),
        failure=event.failure,
        resources=tuple(r for r in before.resources if r.run != before.run or r in left),
        leftovers=event.leftovers,
        last_start=event.timeline or before.last_start,
        networks=(),
    )


def _released(before: Snapshot, event: ResourcesReleased) -> Snapshot:
    gone = set(event.released)
    tried = gone | {leftover.resource for leftover in event.leftovers}
    leftovers = (
        *(old for old in before.leftovers if old.resource not in tried),
        *event.leftovers,
    )
    return replace(
        before,
        state=_at_rest(before, stranded=bool(leftovers)),
        resources=tuple(r for r in before.resources if r not in gone),
        leftovers=leftovers,
    )


def _at_rest(before: Snapshot, *, stranded: bool) -> State:
    """Return where a container without a process stands once a release was tried."""
    match before.state, before.exit:
        case Removing() as state, _:
            return state
        case _, exit if stranded:
            return Stranded(exit)
        case Restarting() as state, _:
            return state
        case _, None:
            return Created()
        case _, exit:
            return Exited(exit)
