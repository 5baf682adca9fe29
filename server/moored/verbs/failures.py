"""What becomes of a container whose start failed: its exit, why, and what follows from it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from moored import errors
from moored.model import exits
from moored.model.events import StartFailure, StartUndone
from moored.model.exits import Exit, Origin
from moored.model.follow_up import with_follow_up
from moored.model.intent import Action, Asker, Intent
from moored.verbs.remove import remove

if TYPE_CHECKING:
    from moored.model.state import Snapshot
    from moored.registry import Claim
    from moored.saga import Clock
    from moored.verbs.attempt import Attempt
    from moored.verbs.release import Releaser

_CODES: Final[dict[type[BaseException], int]] = {
    errors.CommandNotFound: exits.COMMAND_NOT_FOUND,
    errors.CommandNotExecutable: exits.COMMAND_NOT_EXECUTABLE,
}


class Timers(Protocol):
    """Whoever starts it again, when that is due."""

    def arm(self, snapshot: Snapshot) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Failures:
    releaser: Releaser
    clock: Clock
    timers: Timers

    async def record(self, claim: Claim, attempt: Attempt, error: BaseException) -> None:
        """Put the failure on record, under the claim that the start had."""
        now, snapshot, saga = self.clock.now(), claim.snapshot, attempt.saga
        if isinstance(error, errors.MooredError):
            error.facts.setdefault("container", snapshot.id)
            error.facts.setdefault("step", saga.failed_step)
        failure = StartFailure(
            reason=_reason(error),
            message=str(error) or "the service is shutting down",
            step=saga.failed_step,
            retriable=_retriable(error),
            at=now,
        )
        code = _CODES.get(type(error), exits.START_FAILED)
        undone = StartUndone(
            exit=Exit(code, Origin.START_FAILURE, now),
            failure=failure,
            leftovers=tuple(saga.leftovers),
            timeline=saga.timeline(snapshot.run, trace_id=attempt.trace_id),
        )
        await claim.apply(*with_follow_up(snapshot, undone, now))
        self.timers.arm(claim.snapshot)
        if snapshot.spec.auto_remove:
            intent = Intent(Action.REMOVE, Asker.AUTO_REMOVE)
            await remove(claim, intent, releaser=self.releaser, clock=self.clock, volumes=True)


def _retriable(error: BaseException) -> bool:
    if isinstance(error, errors.MooredError):
        return error.retriable
    return isinstance(error, asyncio.CancelledError)  # the service is shutting down


def _reason(error: BaseException) -> str:
    if isinstance(error, errors.MooredError):
        return errors.reason(type(error))
    return "INTERRUPTED" if isinstance(error, asyncio.CancelledError) else "BUG"
