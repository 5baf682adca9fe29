"""A request that happens once: its name, what it asked for, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeAlias

from moored.model.identity import ContainerId

KEPT: Final = timedelta(hours=24)
"""How long it is known what became of a request."""


@dataclass(frozen=True)
class Request:
    id: str
    """Of the caller's choice."""
    fingerprint: bytes
    """Of what was asked for: equal for equal requests."""


@dataclass(frozen=True)
class Begun:
    """It got as far as this container's record, and how it ended is not known."""

    container: ContainerId
    run: int
    """The run that it asked for. 0: none, or one that is known to have failed."""


@dataclass(frozen=True)
class Settled:
    """It ended for good. The answer is kept as it was sent: nobody here reads it."""

    ok: bool
    answer: bytes


Fate: TypeAlias = Begun | Settled


@dataclass(frozen=True)
class Known:
    """What is remembered of a request."""

    request: Request
    fate: Fate
