"""Kill: one signal to the first process, and no waiting for what it makes of it.

A signal that is meant to end the process takes the wish that it runs with it: the restart policy
does not start again what its caller has killed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from signal import SIGINT, SIGKILL, SIGQUIT, SIGTERM
from typing import TYPE_CHECKING, Final, Protocol

from moored.model.events import StopRequested
from moored.model.state import Frozen, Restarting, Running, Stopping
from moored.oci import signals
from moored.verbs.stop import STOP
from moored.verbs.turns import not_running

if TYPE_CHECKING:
    from moored.model.identity import RunId
    from moored.model.state import Snapshot
    from moored.registry import Claim
    from moored.saga import Clock
    from moored.verbs.turns import Turns

_ENDING: Final = frozenset({SIGINT, SIGQUIT, SIGKILL, SIGTERM})
"""Beside the container's own stop signal. Others are messages, whatever they do to it."""


class Tasks(Protocol):
    async def kill(self, run: RunId, signal: int) -> bool: ...


@dataclass(frozen=True, kw_only=True)
class Killer:
    turns: Turns
    tasks: Tasks
    clock: Clock

    async def kill(
        self, reference: str, *, signal: int = SIGKILL, generation: int | None = None
    ) -> Snapshot:
        work = partial(self._kill, signal)
        return await self.turns.take("kill", reference, generation, work)

    async def _kill(self, signal: int, claim: Claim) -> Snapshot:
        ending = signal in _ENDING or signal == _stop_signal(claim.snapshot)
        match claim.snapshot.state:
            case Running() | Stopping() | Frozen():
                if ending:
                    await self._give_up(claim, waited_for=signal == SIGKILL)
                if not await self.tasks.kill(claim.run_id, signal):
                    raise not_running(claim, "kill", "its process has just ended")
            case Restarting() if ending:  # no process is better than one that dies at once
                await self._give_up(claim, waited_for=True)
            case _:
                raise not_running(claim, "kill", "it has no process")
        return claim.snapshot

    async def _give_up(self, claim: Claim, *, waited_for: bool) -> None:
        """Put on record that it shall not run, unless that is known."""
        known = isinstance(claim.snapshot.state, Stopping) or not waited_for
        if not (known and claim.snapshot.intent == STOP):
            await claim.apply(StopRequested(STOP, self.clock.now(), waited_for=waited_for))


def _stop_signal(snapshot: Snapshot) -> int | None:
    return signals.parse(snapshot.spec.stop_signal or snapshot.image.stop_signal)
