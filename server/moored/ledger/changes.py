"""What one commit writes: values that the writer thread can take without asking anybody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from datetime import datetime

    from moored.model.identity import ContainerId
    from moored.model.requests import Request, Settled
    from moored.model.state import Snapshot
    from moored.model.tidings import Tiding
    from moored.model.volumes import Volume


@dataclass(frozen=True)
class Happening:
    """One row of the event log: what is told of it, and all that is known of it as JSON."""

    tiding: Tiding
    facts: str

    @property
    def revision(self) -> int:
        return self.tiding.revision

    @property
    def kind(self) -> str:
        return self.tiding.kind


@dataclass(frozen=True)
class Put:
    """``after`` replaces ``before`` (None: there was none), and says why."""

    before: Snapshot | None
    after: Snapshot
    happenings: tuple[Happening, ...]
    at: datetime
    request: Request | None = None
    """What asked for it, to be known together with it."""


@dataclass(frozen=True)
class Drop:
    container: ContainerId
    happenings: tuple[Happening, ...]
    at: datetime


@dataclass(frozen=True)
class Settle:
    """A request ended for good."""

    request: Request
    settled: Settled
    at: datetime


@dataclass(frozen=True)
class Forget:
    """A request failed in a way that a retry may help.

    ``keep_container``: the retry goes on with the container that it made.
    """

    request: Request
    keep_container: bool


@dataclass(frozen=True)
class PutVolume:
    volume: Volume


@dataclass(frozen=True)
class DropVolume:
    name: str


Change: TypeAlias = Put | Drop | Settle | Forget | PutVolume | DropVolume
