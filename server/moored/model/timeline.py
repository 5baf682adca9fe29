"""What a start did, step by step, and how long each took."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class StepOutcome(StrEnum):
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Step:
    """``offset`` counts from the beginning of the start; steps may overlap."""

    name: str
    offset: timedelta
    duration: timedelta
    outcome: StepOutcome
    error: str = ""


@dataclass(frozen=True)
class Timeline:
    run: int
    at: datetime
    duration: timedelta
    steps: tuple[Step, ...]
    trace_id: str = ""
    """Hexadecimal; empty when the start was not traced."""
    span_id: str = ""
    """Of the start, for what follows from it; empty when its trace is not recorded anywhere."""


@dataclass(frozen=True)
class Stage:
    """Which step of which verb is under way. Published, never committed."""

    verb: str
    step: str
    since: datetime
