"""Attach: a caller beside a run, with what it wrote and writes, and its stdin, if it has one.

Reads the captured output, so that neither a slow caller nor none at all is felt by the
container. Holds no claim.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, Self

from moored import errors
from moored.errors import Violation
from moored.model.execs import window_fault
from moored.model.identity import run_id
from moored.model.intent import Action
from moored.model.state import Starting
from moored.streams.logs import LogReader, Quiet, Selection
from moored.verbs.followed_run import RunOfSubject

if TYPE_CHECKING:
    from moored.directory import Directory, Subject, View
    from moored.model.execs import WindowSize
    from moored.model.exits import Exit
    from moored.model.identity import RunId
    from moored.model.state import Snapshot
    from moored.streams.follow import Hub
    from moored.streams.output import Output, RunOutput
    from moored.streams.source import Chunk
    from moored.verbs.kill import Killer
    from moored.verbs.run_streams import RunStreams
    from moored.verbs.stdin import Hold


class EndReason(StrEnum):
    RUN_ENDED = "run ended"
    REMOVED = "removed"


class Terminals(Protocol):
    async def resize(self, run: RunId, window: WindowSize) -> bool: ...


@dataclass(frozen=True)
class UntilClosing:
    """A run that is followed until it ends, or the service does."""

    run: RunOfSubject
    closing: asyncio.Event

    def ended(self) -> bool:
        return self.closing.is_set() or self.run.ended()

    async def wait_ended(self) -> None:
        waits = [
            asyncio.create_task(self.run.wait_ended()),
            asyncio.create_task(self.closing.wait()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)


@dataclass(frozen=True, kw_only=True)
class Attacher:
    directory: Directory
    output: Output
    hub: Hub
    streams: RunStreams
    terminals: Terminals
    killer: Killer

    async def attach(
        self, reference: str, selection: Selection, *, run: int = 0, stdin: bool = False
    ) -> Attachment:
        """Return a caller's attachment to a run, to be entered.

        The next run is waited for, and so is the end of a start that is under way.
        """
        subject = self.directory.find(reference)
        wanted = run or subject.view.snapshot.run
        if wanted <= subject.view.snapshot.run + 1:
            await subject.until(lambda view: _has_begun(view, wanted))
        snapshot = subject.view.snapshot
        number = run or snapshot.run
        if not number:
            raise errors.ContainerNotRunning(
                f"cannot attach to container {snapshot.id!r}: it never ran", container=snapshot.id
            )
        files = self.output.find(snapshot.id, number) if number <= snapshot.run else None
        if files is None:
            raise errors.RunNotFound(
                f"cannot attach to container {snapshot.id!r}: there is no output of run {number}",
                container=snapshot.id,
                run=str(number),
            )
        _refuse_beyond(files, selection)
        return Attachment(self, subject, number, files, selection, stdin=stdin)


class Attachment:
    """One caller beside one run, as an asynchronous context."""

    def __init__(
        self,
        attacher: Attacher,
        subject: Subject,
        run: int,
        files: RunOutput,
        selection: Selection,
        *,
        stdin: bool,
    ) -> None:
        self._attacher = attacher
        self._subject = subject
        self._run = run
        self._wants_stdin = stdin
        self._hold: Hold | None = None
        followed = UntilClosing(RunOfSubject(subject, run), attacher.streams.closing)
        self._reader = LogReader(files, attacher.hub, selection, run=followed)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            if self._wants_stdin:
                self._hold = self._attacher.streams.stdins.take(self._current("write to stdin of"))
                stack.callback(self._hold.leave)
            await stack.enter_async_context(self._reader)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def snapshot(self) -> Snapshot:
        return self._subject.view.snapshot

    async def read(self, within: float | None = None) -> Chunk | Quiet | None:
        """Return what it wrote next. None: that was all. ShuttingDown: the service ends."""
        piece = await self._reader.read(within)
        closing = self._attacher.streams.closing.is_set() or self._attacher.hub.closed
        if piece is None and closing:
            raise errors.ShuttingDown("cannot stay attached: the server is shutting down")
        return piece

    def end(self) -> tuple[EndReason, Exit | None]:
        """Return why there is no more, and how the run ended."""
        view = self._subject.view
        snapshot = view.snapshot
        removed = view.gone or snapshot.intent.action is Action.REMOVE
        exit = snapshot.exit if snapshot.run == self._run else None
        return (EndReason.REMOVED if removed else EndReason.RUN_ENDED), exit

    async def write(self, data: bytes) -> None:
        await self._stdin().write(data)

    async def end_stdin(self) -> None:
        await self._stdin().end()

    def leave_stdin(self) -> None:
        """Give stdin back: nothing more is written to it from here."""
        if self._hold is not None:
            self._hold.leave()

    async def resize(self, window: WindowSize) -> None:
        snapshot = self._current("resize terminal of")
        if not snapshot.spec.tty:
            raise errors.TtyMissing(
                f"cannot resize terminal of container {snapshot.id!r}: it has none",
                container=snapshot.id,
            )
        if why := window_fault(window):
            raise errors.InvalidField(f"cannot resize terminal: {why}", Violation("window", why))
        await self._attacher.terminals.resize(run_id(snapshot.id, self._run), window)

    async def signal(self, number: int) -> None:
        await self._attacher.killer.kill(self._current("signal").id, signal=number)

    def _stdin(self) -> Hold:
        if self._hold is None:
            raise errors.StdinNotOpen(
                "cannot write to stdin: it was not asked for", container=self.snapshot.id
            )
        return self._hold

    def _current(self, verb: str) -> Snapshot:
        """Return the container, whose last run is the one attached to."""
        snapshot = self.snapshot
        if snapshot.run != self._run or self._subject.view.gone:
            raise errors.ContainerNotRunning(
                f"cannot {verb} container {snapshot.id!r}: run {self._run} has ended",
                container=snapshot.id,
            )
        return snapshot


def _has_begun(view: View, run: int) -> bool:
    """Whether there is a run, or will be none: its start may have failed."""
    begun = view.snapshot.run >= run and not isinstance(view.snapshot.state, Starting)
    return view.gone or begun


def _refuse_beyond(files: RunOutput, selection: Selection) -> None:
    for stream, offset in selection.offsets.items():
        size = files.path(stream).stat().st_size
        if offset > size:
            why = f"is beyond what was written: {size} bytes"
            field = f"{stream}_offset"
            raise errors.InvalidField(f"cannot attach: {field} {why}", Violation(field, why))
