"""Exec: a command beside a container's first process, connected to a caller or to nobody.

The claim is held only while the exec is put on record, so that neither its start nor its life
keeps anybody from the container; whoever lets go of the run finds it there.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NoReturn

from moored import errors
from moored.model.execs import EndReason, Exec, violations
from moored.model.state import Frozen, Removing, Running, Stopping
from moored.streams.output import Stream
from moored.verbs.exec_session import Piece, Session, Wiring

if TYPE_CHECKING:
    from collections.abc import Callable

    from moored.model.execs import ExecId, ExecSpec, WindowSize
    from moored.model.policy import Allowance
    from moored.owner import Owner
    from moored.registry import Claim, Registry
    from moored.saga import Clock
    from moored.verbs.exec_book import ExecBook

_DETACHED: Final = Wiring()


@dataclass(frozen=True)
class Collected:
    """What a command wrote and how it ended."""

    exec: Exec
    stdout: bytes
    stderr: bytes
    truncated: bool


@dataclass(frozen=True, kw_only=True)
class Executor:
    registry: Registry
    book: ExecBook
    owner: Owner
    clock: Clock
    new_id: Callable[[], ExecId]
    allowed: Callable[[str], Allowance]
    """What a role may ask for."""

    async def connect(self, reference: str, spec: ExecSpec, wiring: Wiring) -> Session:
        """Begin a command whose streams the caller holds. It has to ``leave`` it at last."""
        self._refuse(spec, connected=True)
        return await self._begin(reference, spec, wiring, detached=False)

    def leave(self, session: Session) -> None:
        """End a command whose caller has gone, unless it has ended."""
        self.book.end(session, EndReason.CALLER_GONE)

    async def detach(self, reference: str, spec: ExecSpec) -> Exec:
        """Begin a command that nobody is connected to."""
        self._refuse(spec, connected=False)
        work = self._begin(reference, spec, _DETACHED, detached=True)
        session = await self.owner.join(work, "exec", may_cancel=lambda: False)
        return session.exec

    async def run(
        self, reference: str, spec: ExecSpec, *, stdin: bytes, within: float, most: int
    ) -> Collected:
        """Run a command to its end, for ``within`` seconds, keeping ``most`` bytes of its output.

        It belongs to its caller, and is waited for when the service drains.
        """
        self._refuse(spec, connected=False)
        work = self._run(reference, spec, stdin, within, most)
        return await self.owner.join(work, "exec", may_cancel=lambda: True)

    def _refuse(self, spec: ExecSpec, *, connected: bool) -> None:
        _refuse_wrong(spec, connected=connected)
        if spec.privileged and not self.allowed(spec.role).privileged_exec:
            _refuse_privileged()

    async def _run(
        self, reference: str, spec: ExecSpec, stdin: bytes, within: float, most: int
    ) -> Collected:
        wiring = Wiring(stdin=bool(stdin), output=True)
        session = await self._begin(reference, spec, wiring, detached=False)
        feeding = asyncio.create_task(self._feed(session, stdin))
        late = asyncio.get_running_loop().call_later(
            within, lambda: self.book.end(session, EndReason.TIMED_OUT, politely=False)
        )
        try:
            return await _collect(session, most)
        finally:
            late.cancel()
            feeding.cancel()
            await asyncio.wait([feeding])
            self.leave(session)

    async def _feed(self, session: Session, stdin: bytes) -> None:
        if stdin:
            await session.write(stdin)
            await self.end_input(session)

    async def end_input(self, session: Session) -> None:
        """Let a command read the end of its stdin. A second time changes nothing."""
        if session.end_input():
            exec_ = session.exec
            await self.book.life.executions.close_stdin(exec_.run_id, exec_.id)

    async def resize(self, session: Session, window: WindowSize) -> None:
        exec_ = session.exec
        if not exec_.spec.tty:
            raise errors.TtyMissing(
                f"cannot resize terminal of exec {exec_.id!r}: it has none", exec=exec_.id
            )
        await self.book.life.executions.resize(exec_.run_id, window, exec_.id)

    async def signal(self, session: Session, number: int) -> None:
        """Send a signal to its process. Too late is no error: its end is on the way."""
        exec_ = session.exec
        await self.book.life.executions.kill(exec_.run_id, exec_.id, number)

    async def _begin(
        self, reference: str, spec: ExecSpec, wiring: Wiring, *, detached: bool
    ) -> Session:
        async with self.registry.claim(reference) as claim:
            beside = _pid_if_running(claim)
            snapshot, now = claim.snapshot, self.clock.now()
            exec_ = Exec(self.new_id(), snapshot.id, snapshot.run, spec, detached, now)
            try:
                session = self.book.begin(exec_, replace(wiring, beside=beside))
            except FileNotFoundError as error:
                raise errors.ContainerNotRunning(
                    f"cannot execute command in container {snapshot.id!r}: its run was begun"
                    " before this server could execute commands; restart it",
                    container=snapshot.id,
                ) from error
        try:
            await asyncio.shield(session.started)
        except asyncio.CancelledError:
            self.book.end(session, EndReason.CALLER_GONE, politely=False)
            raise
        return session


async def _collect(session: Session, most: int) -> Collected:
    kept = {stream: bytearray() for stream in Stream}
    truncated = False
    while isinstance(piece := await session.read(), Piece):
        room = most - sum(map(len, kept.values()))
        kept[piece.stream] += piece.data[:room]
        truncated = truncated or len(piece.data) > room
    out, err = kept[Stream.STDOUT], kept[Stream.STDERR]
    return Collected(session.exec, bytes(out), bytes(err), truncated)


def _refuse_wrong(spec: ExecSpec, *, connected: bool) -> None:
    if not (found := violations(spec, connected=connected)):
        return
    within = [errors.Violation(f"spec.{fault.field}", fault.why) for fault in found]
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    raise errors.InvalidField(
        f"cannot execute command: {within[0].field} {within[0].why}{more}", *within
    )


def _refuse_privileged() -> NoReturn:
    rule = "privileged_exec"
    where = errors.Violation("spec.privileged", f"is not allowed by rule {rule}")
    raise errors.NotAllowedByPolicy(
        f"cannot execute command: {where.field}: the server's policy does not allow a privileged"
        f" one (rule {rule})",
        where,
        rule=rule,
    )


def _pid_if_running(claim: Claim) -> int:
    """Return the pid of the container's first process, or refuse."""
    container = claim.snapshot.id
    what = f"cannot execute command in container {container!r}"
    match claim.snapshot.state:
        case Running(pid=pid) | Stopping(pid=pid):
            return pid
        case Frozen():
            raise errors.ContainerPaused(
                f"{what}: it is paused, resume it first", container=container
            )
        case Removing():
            raise errors.ContainerRemoving(f"{what}: it is being removed", container=container)
        case _:
            raise errors.ContainerNotRunning(f"{what}: it has no process", container=container)
