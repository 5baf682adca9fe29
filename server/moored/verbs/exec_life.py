"""The life of an exec: prepared, begun, waited for, let go.

Laws: it is on record before containerd hears of it, and until containerd has forgotten it; how
it ended is known before its process is deleted; what it wrote outlives that; nobody's reading
holds up anything but the exec itself.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from signal import SIGHUP, SIGKILL
from typing import TYPE_CHECKING, Final

from loguru import logger

from moored import errors
from moored.model.exits import Origin, of_process, unseen
from moored.uninterrupted import in_thread
from moored.verbs.exec_reasons import not_running

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.trace import Tracer

    from moored.model.execs import Exec, ExecSpec
    from moored.model.exits import Exit
    from moored.model.identity import RunId
    from moored.model.users import Identity
    from moored.saga import Clock
    from moored.storage.channels import Channels
    from moored.telemetry.measures import Measures
    from moored.verbs.exec_needs import Containers, Executions
    from moored.verbs.exec_reasons import Reasons
    from moored.verbs.exec_session import Session

GRACE: Final = 1.0
"""Seconds between the SIGHUP that an abandoned exec gets, and SIGKILL."""
_KILLED_WITHIN: Final = 1.0
"""Seconds in which what was killed is usually gone."""
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0
"""Seconds between two tries at what containerd did not do."""


@dataclass(frozen=True, kw_only=True)
class ExecLife:
    executions: Executions
    containers: Containers
    channels: Channels
    find_user: Callable[[ExecSpec, int], Identity | None]
    build_process: Callable[[bytes, ExecSpec, Identity | None], bytes]
    kill_members: Callable[[RunId, int], int]
    """Kills what a process has started, by the process's pid."""
    reasons: Reasons
    gate: asyncio.Semaphore
    """How many may be begun at a time: each executes the runtime, as a start does."""
    tracer: Tracer
    clock: Clock
    measures: Measures
    start_limit: float
    """Seconds that one has to begin."""

    async def live(self, session: Session) -> None:
        """From its record to its end. Cancelled, it leaves the exec as it is, to be recovered."""
        began = self.clock.seconds()
        try:
            with self.tracer.start_as_current_span("exec"):
                await self._begin(session)
            self._measure(session, "begun", began)
        except Exception as error:  # noqa: BLE001  # whoever waits for it gets it
            self._measure(session, "failed", began)
            gone = await self._let_go(session)
            session.failed(await self.reasons.of_failure(session.exec, error))
            if not gone:
                await self._let_go_at_last(session)
            return
        await self._follow(session)

    def _measure(self, session: Session, outcome: str, began: float) -> None:
        if not session.exec.unlisted:  # a probe's, which is measured as such
            self.measures.exec_start(outcome, self.clock.seconds() - began)

    async def live_on(self, session: Session) -> None:
        """From where a moored before this one left it."""
        pause = _FIRST_PAUSE
        while True:
            with suppress(errors.RuntimeUnreachable):
                pid = await self.executions.pid(session.exec.run_id, session.exec.id)
                break
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        if not pid:  # prepared, and never begun
            session.failed(errors.Interrupted("cannot go on with an exec that never began"))
            await self._let_go_at_last(session)
            return
        session.begun(pid)
        await self._follow(session)

    async def end(self, session: Session, *, politely: bool) -> None:
        """Have its process ended, with all that it started: until it has."""
        await asyncio.wait([session.started])
        exec_ = session.exec
        pause = _FIRST_PAUSE
        if politely and not session.ended:
            with suppress(errors.MooredError):
                await self.executions.kill(exec_.run_id, exec_.id, SIGHUP)
            with suppress(TimeoutError):
                async with asyncio.timeout(GRACE):
                    await session.until_exited()
        while not session.ended:
            await self._kill(session.exec)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await session.until_exited()
            pause = min(2 * pause, _LONGEST_PAUSE)
        await self._kill_members(exec_)

    async def _begin(self, session: Session) -> None:
        try:
            async with asyncio.timeout(self.start_limit), self.gate:
                await self._prepare(session)
                with self.tracer.start_as_current_span("exec.start"):
                    exec_ = session.exec
                    pid = await self.executions.start(
                        exec_.run_id, exec_.id, within=self.start_limit
                    )
        except TimeoutError as error:
            raise errors.StepTimedOut(
                f"cannot execute command: it did not begin in {self.start_limit:g} s", step="exec"
            ) from error
        if session.wiring.stdin:
            session.open_input()
        if session.wiring.window is not None:
            await self.executions.resize(exec_.run_id, session.wiring.window, exec_.id)
        session.begun(pid)

    async def _prepare(self, session: Session) -> None:
        exec_, place, wiring = session.exec, session.place, session.wiring
        with self.tracer.start_as_current_span("exec.prepare"):
            record = await self.containers.get(exec_.run_id)
            if record is None:
                raise not_running(exec_)
            who = await in_thread(partial(self.find_user, exec_.spec, wiring.beside))
            stderr = wiring.output and not exec_.spec.tty
            if wiring.output:
                self.channels.make_fifos(place, stdin=wiring.stdin, stderr=stderr)
                session.open_output()
            await self.executions.prepare(
                exec_.run_id,
                exec_.id,
                self.build_process(record.spec, exec_.spec, who),
                stdin=str(place.stdin) if wiring.stdin else "",
                stdout=str(place.stdout) if wiring.output else "",
                stderr=str(place.stderr) if stderr else "",
                terminal=exec_.spec.tty,
            )

    async def _follow(self, session: Session) -> None:
        """Wait for the end of its process, keep what it wrote, and let it go."""
        exit = await self._exit(session.exec)
        reason = session.reason or await self.reasons.of_end(session, exit)
        session.exited(exit, reason)
        if not session.exec.unlisted:
            self.measures.exec_end(reason)
        saving = asyncio.create_task(session.save_rest())
        try:
            await self._let_go_at_last(session)
        finally:
            saving.cancel()
            await asyncio.wait([saving])

    async def _exit(self, exec_: Exec) -> Exit:
        pause = _FIRST_PAUSE
        while True:
            try:
                seen = await self.executions.wait(exec_.run_id, exec_.id)
            except errors.RuntimeUnreachable:
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
                continue
            except errors.RuntimeRefused as error:  # its shim has died
                logger.debug("wait for exec {} ended: {}", exec_.id, error)
                seen = None
            if seen is None:
                return unseen(Origin.UNKNOWN, self.clock.now())
            return of_process(seen.status, seen.at)

    async def _let_go_at_last(self, session: Session) -> None:
        pause = _FIRST_PAUSE
        while not await self._let_go(session):
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _let_go(self, session: Session) -> bool:
        """Have containerd forget it, and then its record. False: it could not, this time."""
        exec_ = session.exec
        try:
            if not session.ended and await self._kill(exec_):
                async with asyncio.timeout(_KILLED_WITHIN):
                    await self.executions.wait(exec_.run_id, exec_.id)
            await self.executions.delete(exec_.run_id, exec_.id)
        except (errors.MooredError, TimeoutError) as error:
            logger.debug("cannot let go of exec {} yet: {}", exec_.id, error)
            return False
        session.close()
        await in_thread(partial(self.channels.forget, exec_.run_id, exec_.id))
        return True

    async def _kill(self, exec_: Exec) -> bool:
        """Kill its process and what that started; return whether there was a process."""
        try:
            found = await self.executions.kill(exec_.run_id, exec_.id, SIGKILL)
        except errors.MooredError as error:
            logger.debug("cannot kill exec {} yet: {}", exec_.id, error)
            return True
        await self._kill_members(exec_)
        return found

    async def _kill_members(self, exec_: Exec) -> None:
        if exec_.pid:
            with suppress(OSError):
                await in_thread(partial(self.kill_members, exec_.run_id, exec_.pid))
