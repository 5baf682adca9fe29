"""Who knows of every exec: those under way, and for a while those that have ended.

Laws: an exec ends with its run at the latest; one that is connected ends with the service; one
that is detached ends with neither its caller nor the service. Nothing here waits for ever.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from signal import SIGKILL
from typing import TYPE_CHECKING, Final

from loguru import logger

from moored import errors
from moored.model.execs import EndReason, Exec, ExecSpec
from moored.model.exits import Origin, unseen
from moored.model.identity import run_id
from moored.uninterrupted import in_thread
from moored.verbs.exec_session import Session, Wiring

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Sequence
    from typing import Any

    from moored.model.execs import ExecId
    from moored.model.identity import ContainerId, RunId
    from moored.verbs.exec_life import ExecLife

KEPT_FOR: Final = 300.0
"""Seconds for which an exec that has ended is still known."""
MOST_KEPT: Final = 1000


@dataclass(kw_only=True)
class ExecBook:
    life: ExecLife
    patience: float
    """Seconds that the execs of a run which is let go have to end in order."""
    _sessions: dict[ExecId, Session] = field(default_factory=dict)
    _ended: dict[ExecId, tuple[float, Exec]] = field(default_factory=dict)

    # What is known

    def find(self, exec_id: str) -> Exec:
        """Return what is known of an exec. Raises ExecNotFound."""
        for found in self.all():
            if found.id == exec_id:
                return found
        raise errors.ExecNotFound(f"cannot find exec {exec_id!r}: it is not known", exec=exec_id)

    def all(self, container: ContainerId | None = None) -> list[Exec]:
        """Return what is known of the execs of a container, or of all, oldest first."""
        self._forget_old()
        known = {id_: exec_ for id_, (_, exec_) in self._ended.items()}
        living = (session.exec for session in self._sessions.values())
        known |= {exec_.id: exec_ for exec_ in living if not exec_.unlisted}
        wanted = (e for e in known.values() if container is None or e.container == container)
        return sorted(wanted, key=lambda exec_: (exec_.created, exec_.id))

    @property
    def busy(self) -> bool:
        """Whether any exec is under way."""
        return bool(self._sessions)

    # What happens

    def begin(self, exec_: Exec, wiring: Wiring) -> Session:
        """Put an exec on record and let it live. To be called under its container's claim."""
        place = self.life.channels.record(exec_)
        session = Session(exec_, place, wiring)
        self._keep(session, self.life.live(session))
        return session

    def end(self, session: Session, reason: EndReason, *, politely: bool = True) -> None:
        """Have an exec ended, unless it has or was told to before."""
        if session.ended or session.ender is not None:
            return
        session.reason = session.reason or reason
        session.ender = asyncio.create_task(
            self.life.end(session, politely=politely), name=f"end exec {session.exec.id}"
        )

    async def kill(self, exec_id: str, signal: int) -> Exec:
        """Send a signal to the process of an exec."""
        exec_ = self.find(exec_id)
        if exec_.exit is not None or not await self.life.executions.kill(
            exec_.run_id, exec_.id, signal
        ):
            raise errors.ExecEnded(f"cannot kill exec {exec_id!r}: it has ended", exec=exec_id)
        return self.find(exec_id)

    async def end_run(self, run: RunId) -> bool:
        """End every exec of a run and forget them; return whether there was anything."""
        mine = [s for s in self._sessions.values() if s.exec.run_id == run]
        for session in mine:
            self.end(session, EndReason.CONTAINER_ENDED, politely=False)
        await self._end_in_order(mine)
        await self._end_unknown(run)
        for exec_id in [i for i, (_, exec_) in self._ended.items() if exec_.run_id == run]:
            del self._ended[exec_id]
        return await in_thread(partial(self.life.channels.remove, run))

    def recover(self, container: ContainerId, run: int) -> None:
        """Adopt the detached execs that a moored before this one left, and end the others."""
        name = run_id(container, run)
        for exec_id in self.life.channels.execs(name):
            if exec_id not in self._sessions:
                self._recover(container, run, exec_id)

    async def close(self) -> None:
        """End what is connected to somebody; what is detached goes on, and is found again."""
        sessions = list(self._sessions.values())
        connected = [s for s in sessions if not s.exec.detached]
        for session in connected:
            self.end(session, EndReason.SERVER_ENDED)
        await self._end_in_order(connected)
        await self._cancel(s for s in sessions if s.exec.detached)

    # How

    def _keep(self, session: Session, life: Coroutine[Any, Any, None]) -> None:
        name = f"exec {session.exec.id}"
        self._sessions[session.exec.id] = session
        session.task = asyncio.create_task(life, name=name)
        session.task.add_done_callback(partial(self._done, session))

    def _done(self, session: Session, task: asyncio.Task[None]) -> None:
        exec_id = session.exec.id
        del self._sessions[exec_id]
        if session.ender is not None:
            session.ender.cancel()
        if session.ended and not session.exec.unlisted:
            self._ended[exec_id] = (asyncio.get_running_loop().time(), session.exec)
        if not task.cancelled() and (error := task.exception()):
            logger.opt(exception=error).error("{} failed: {}", task.get_name(), error)
            session.failed(error)

    async def _end_in_order(self, sessions: Sequence[Session]) -> None:
        tasks = [s.task for s in sessions if s.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=self.patience)
        await self._cancel(s for s in sessions if s.task is not None and not s.task.done())

    async def _cancel(self, sessions: Iterable[Session]) -> None:
        late = list(sessions)
        for session in late:
            assert session.task is not None
            session.task.cancel()
        if late:
            await asyncio.wait([s.task for s in late if s.task is not None])
        for session in late:
            self._cut_short(session)

    def _cut_short(self, session: Session) -> None:
        """Let whoever reads know that nobody saw how it ended."""
        session.failed(errors.ContainerNotRunning("cannot execute command: its container ended"))
        reason = session.reason or EndReason.SERVER_ENDED
        session.exited(unseen(Origin.UNKNOWN, self.life.clock.now()), reason)
        session.close()

    async def _end_unknown(self, run: RunId) -> None:
        """End what is on record and not in the book: nobody has recovered it yet."""
        for exec_id in await in_thread(partial(self.life.channels.execs, run)):
            await self.life.executions.kill(run, exec_id, SIGKILL)
            with suppress(errors.RuntimeRefused):  # it goes with its task
                await self.life.executions.delete(run, exec_id)

    def _recover(self, container: ContainerId, run: int, exec_id: ExecId) -> None:
        channels, name = self.life.channels, run_id(container, run)
        exec_ = channels.read(name, exec_id)
        if exec_ is None:
            now = self.life.clock.now()
            exec_ = Exec(exec_id, container, run, ExecSpec(()), detached=False, created=now)
        session = Session(exec_, channels.place(name, exec_id), Wiring())
        self._keep(session, self.life.live_on(session))
        if not exec_.detached:
            self.end(session, EndReason.SERVER_ENDED, politely=False)

    def _forget_old(self) -> None:
        oldest = asyncio.get_running_loop().time() - KEPT_FOR
        surplus = len(self._ended) - MOST_KEPT
        for number, (exec_id, (at, _)) in enumerate(list(self._ended.items())):
            if at < oldest or number < surplus:
                del self._ended[exec_id]
