"""A health check's command: executed in a run, and ended with all that it started if it hangs.

Nobody asked for it by name: it is in no list. It needs no claim: a run is let go of only after
its end was published, and nothing begins in one that is not published as running. As any exec it
is on record before it exists, so that a server which comes back ends what it left.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from moored import errors
from moored.model.execs import EndReason, Exec, ExecSpec
from moored.model.exits import Origin
from moored.model.health import LARGEST_OUTPUT, Outcome
from moored.model.state import Running
from moored.probes.finding import Finding, failed, short
from moored.verbs.exec_session import Piece, Session, Wiring

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from moored.model.execs import ExecId
    from moored.model.health import ExecProbe
    from moored.model.state import Snapshot
    from moored.saga import Clock
    from moored.verbs.exec_book import ExecBook

_GONE_WITHIN: Final = 1.0
"""Seconds in which what was killed is usually gone: the next probe waits for it so long."""
_UNDECIDED: Final = (
    errors.RuntimeUnreachable,
    errors.StepTimedOut,
    errors.Interrupted,
    errors.ContainerNotRunning,
    errors.ContainerPaused,
)
"""What says nothing about the container."""


@dataclass(frozen=True, kw_only=True)
class CommandProber:
    book: ExecBook
    turns: asyncio.Semaphore
    """How many may be begun at a time: fewer than execs may, so that callers have room."""
    new_id: Callable[[], ExecId]
    clock: Clock

    async def probe(self, snapshot: Snapshot, probe: ExecProbe, within: timedelta) -> Finding:
        """Execute the command once. ``within`` is the time that it has from its own beginning."""
        async with self.turns:
            if (session := self._begin(snapshot, probe)) is None:
                return Finding(Outcome.UNDECIDED, "it does not run")
            try:
                await asyncio.shield(session.started)
            except _UNDECIDED as error:
                return Finding(Outcome.UNDECIDED, short(str(error)))
            except errors.MooredError as error:
                return failed(str(error))
            except asyncio.CancelledError:
                self._end(session, EndReason.CALLER_GONE)
                raise
        return await self._observe(session, within)

    def _begin(self, snapshot: Snapshot, probe: ExecProbe) -> Session | None:
        if not isinstance(snapshot.state, Running):
            return None
        spec, now = ExecSpec(probe.args), self.clock.now()
        exec_ = Exec(self.new_id(), snapshot.id, snapshot.run, spec, False, now, unlisted=True)
        try:
            return self.book.begin(exec_, Wiring(beside=snapshot.state.pid, output=True))
        except FileNotFoundError:  # its run is gone, or was begun before there were execs
            return None

    async def _observe(self, session: Session, within: timedelta) -> Finding:
        written = bytearray()
        try:
            async with asyncio.timeout(within.total_seconds()):
                await _collect(session, written)
        except TimeoutError:
            await self._end_late(session)
            return Finding(Outcome.TIMED_OUT, _text(written))
        finally:
            self._end(session, EndReason.CALLER_GONE)
        exit = session.exec.exit
        if exit is None or exit.origin not in (Origin.PROCESS, Origin.SIGNAL):
            return Finding(Outcome.UNDECIDED, "nobody saw how the command ended")
        if session.exec.reason is not EndReason.EXITED:
            return Finding(Outcome.UNDECIDED, f"the command was ended: {session.exec.reason}")
        outcome = Outcome.FAILED if exit.code else Outcome.SUCCEEDED
        return Finding(outcome, _text(written), exit.code)

    async def _end_late(self, session: Session) -> None:
        self._end(session, EndReason.TIMED_OUT)
        if session.task is not None:
            await asyncio.wait([session.task], timeout=_GONE_WITHIN)

    def _end(self, session: Session, reason: EndReason) -> None:
        self.book.end(session, reason, politely=False)


async def _collect(session: Session, written: bytearray) -> None:
    while isinstance(piece := await session.read(), Piece):
        written += piece.data[: LARGEST_OUTPUT - len(written)]


def _text(written: bytearray) -> str:
    return short(written.decode(errors="replace"))
