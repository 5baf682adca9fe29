"""What one commit writes: values that the writer thread can take without asking anybody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from datetime import datetime

    from moored.model.identity import ContainerId
    from moored.model.state import Snapshot


@dataclass(frozen=True)
class Happening:
    """One row of the event log."""

    revision: int
    kind: str
    facts: str


@dataclass(frozen=True)
class Put:
    """``after`` replaces ``before`` (None: there was none), and says why."""

    before: Snapshot | None
    after: Snapshot
    happenings: tuple[Happening, ...]
    at: datetime


@dataclass(frozen=True)
class Drop:
    container: ContainerId
    happenings: tuple[Happening, ...]
    at: datetime


Change: TypeAlias = Put | Drop
