"""What follows the end of a run: another one by itself, or nothing. Pure, as the policy is.

The wish for another run is put on record together with the end of the one before, so that nobody
sees a container at rest that is about to be started again.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeAlias

from moored.model.events import RestartScheduled, StartUndone, TaskExited
from moored.model.exits import Exit, Origin
from moored.model.intent import Action, Intent
from moored.model.restart import Ended, RestartCondition, decide
from moored.model.state import Exited, Snapshot, advance

FollowUp: TypeAlias = tuple[RestartScheduled, ...]
"""One, or none."""


def with_follow_up(
    before: Snapshot, end: TaskExited | StartUndone, now: datetime
) -> tuple[TaskExited | StartUndone | RestartScheduled, ...]:
    """Return the end of a run, and what the policy makes follow it at once."""
    return (end, *follow_up(advance(before, end), now))


def follow_up(snapshot: Snapshot, now: datetime) -> FollowUp:
    """Return what the policy asks for, of a container whose run has ended."""
    if not isinstance(snapshot.state, Exited):
        return ()
    return _scheduled(snapshot, ended(snapshot, snapshot.state.exit), now)


def at_server_start(snapshot: Snapshot, now: datetime) -> FollowUp:
    """Return what the policy asks for, of a container found at rest by a server that comes back.

    ALWAYS starts it whatever came before, a stop included; UNLESS_STOPPED all but a stop.
    """
    if not isinstance(snapshot.state, Exited):
        return ()
    last = ended(snapshot, snapshot.state.exit)
    condition = snapshot.spec.restart_policy.condition
    stopped = snapshot.intent.action is not Action.RUN
    if condition is RestartCondition.ALWAYS or (
        condition is RestartCondition.UNLESS_STOPPED and not stopped
    ):
        last = replace(last, intent=Intent(Action.RUN), retriable=True)
    return _scheduled(snapshot, last, now)


def ended(snapshot: Snapshot, exit: Exit) -> Ended:
    """Return how the last run of ``snapshot`` ended, as far as a restart depends on it."""
    began = snapshot.started or exit.at
    failure = snapshot.failure if exit.origin is Origin.START_FAILURE else None
    return Ended(
        exit=exit,
        intent=snapshot.intent,
        lasted=max(exit.at - began, timedelta()),
        attempts=snapshot.attempts,
        retriable=failure is None or failure.retriable,
    )


def _scheduled(snapshot: Snapshot, last: Ended, now: datetime) -> FollowUp:
    again = decide(snapshot.spec.restart_policy, last)
    return (RestartScheduled(now + again.wait, again.attempt),) if again else ()
