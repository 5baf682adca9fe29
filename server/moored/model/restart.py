"""When a container is started again by itself, and how long that waits.

Pure: what happened goes in, a decision comes out. The keeper has the timers.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from moored.model.exits import Exit, Origin
from moored.model.intent import Action, Intent

FIRST_WAIT: Final = timedelta(milliseconds=100)
LONGEST_WAIT: Final = timedelta(minutes=1)
STEADY: Final = timedelta(seconds=10)
"""A run that lasted so long begins the waits anew."""


class RestartCondition(StrEnum):
    NEVER = "never"
    ON_FAILURE = "on failure"
    ALWAYS = "always"
    UNLESS_STOPPED = "unless stopped"


@dataclass(frozen=True)
class RestartPolicy:
    condition: RestartCondition = RestartCondition.NEVER
    max_retries: int = 0
    """In a row, for ON_FAILURE. 0: as often as it takes."""


NO_RESTARTS: Final = RestartPolicy()


@dataclass(frozen=True)
class Ended:
    """How a run ended, as far as a restart depends on it."""

    exit: Exit
    intent: Intent
    lasted: timedelta
    attempts: int
    """Starts in a row that the policy asked for before, up to and with this run's."""
    retriable: bool = True
    """Whether a start that failed may succeed without any change. True after a process."""


@dataclass(frozen=True)
class Again:
    """Start it again, so long from now."""

    wait: timedelta
    attempt: int


def decide(policy: RestartPolicy, ended: Ended) -> Again | None:
    """Return when to start again, or None: not by itself."""
    if ended.intent.action is not Action.RUN or not _asked_for(policy, ended):
        return None
    attempts = 0 if ended.lasted >= STEADY else ended.attempts
    limited = policy.condition is RestartCondition.ON_FAILURE and policy.max_retries
    if limited and attempts >= policy.max_retries:
        return None
    return Again(wait(attempts), attempts + 1)


def wait(attempts: int) -> timedelta:
    """Return how long to wait after so many starts in a row."""
    doublings = min(attempts, 32)  # more would only overflow
    return min(FIRST_WAIT * (1 << doublings), LONGEST_WAIT)


def _asked_for(policy: RestartPolicy, ended: Ended) -> bool:
    if ended.exit.origin is Origin.START_FAILURE and not ended.retriable:
        return False
    match policy.condition:
        case RestartCondition.NEVER:
            return False
        case RestartCondition.ON_FAILURE:
            return ended.exit.code != 0
        case RestartCondition.ALWAYS | RestartCondition.UNLESS_STOPPED:
            return True
