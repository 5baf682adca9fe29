"""Logs on the wire: which runs, which part of their output, as bytes or as lines."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from moorage.v1 import container_service_pb2 as wire
from moored import errors
from moored.api import asked
from moored.api.log_answers import STREAMS, answer, mark
from moored.errors import Violation
from moored.model.state import Created, Exited, Removing, Stranded
from moored.streams.lines import lines
from moored.streams.logs import LogReader, Quiet, Selection
from moored.streams.output import BOTH
from moored.verbs.followed_run import RunOfSubject

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable
    from datetime import datetime

    from moored.directory import Directory, Subject, View
    from moored.model.identity import ContainerId
    from moored.model.state import Snapshot
    from moored.streams.follow import Hub
    from moored.streams.output import Output, RunOutput
    from moored.streams.source import Chunk

HEARTBEAT: Final = 15.0
"""Seconds without output after which a stream says that it lives."""
_FORMATS: Final = (
    wire.LOG_FORMAT_UNSPECIFIED,
    wire.LOG_FORMAT_BYTES,
    wire.LOG_FORMAT_LINES,
)


@dataclass(frozen=True)
class _Asked:
    selection: Selection
    until: datetime | None
    follow: bool
    as_lines: bool


@dataclass(frozen=True, kw_only=True)
class LogsDesk:
    directory: Directory
    output: Output
    hub: Hub
    keeps: Callable[[Snapshot], bool]
    """Whether the output of a container is kept."""
    now: Callable[[], datetime]
    heartbeat: float = HEARTBEAT

    async def read(self, request: wire.LogsRequest) -> AsyncIterator[wire.LogsResponse]:
        wanted = _wanted(request)
        subject = self.directory.find(asked.required(request, "container"))
        if not self.keeps(subject.view.snapshot):
            container = subject.view.snapshot.id
            raise errors.OutputNotKept(
                f"cannot read output of container {container!r}: its log driver is none",
                container=container,
            )
        answers = (
            self._every_run(subject, wanted)
            if request.all_runs
            else self._chosen_run(subject, wanted, request.run)
        )
        async with aclosing(answers):
            async for each in answers:
                yield each

    async def _chosen_run(
        self, subject: Subject, wanted: _Asked, chosen: int
    ) -> AsyncGenerator[wire.LogsResponse, None]:
        run = chosen or subject.view.snapshot.run
        files = self._files(subject, run)
        if files is None:
            if chosen:
                raise _no_run(subject, run)
            return
        async for each in self._one_run(subject, run, files, wanted):
            yield each

    async def _every_run(
        self, subject: Subject, wanted: _Asked
    ) -> AsyncGenerator[wire.LogsResponse, None]:
        """Yield run after run; a follower waits for the next until there will be none."""
        told = 0
        while True:
            view = subject.view
            runs = self._runs(view.snapshot.id, told)
            if wanted.selection.tail is not None and told == 0:
                runs = runs[-1:]
            for run, files in runs:
                yield mark(run)
                async for each in self._one_run(subject, run, files, wanted):
                    yield each
                told = run
                wanted = replace(wanted, selection=replace(wanted.selection, tail=None))
            if not wanted.follow or self._past(wanted.until):
                return
            if runs:
                continue
            if _over(subject, view):
                return
            try:
                async with asyncio.timeout(self.heartbeat):
                    await view.superseded()
            except TimeoutError:
                yield answer(Quiet(), told)

    def _runs(self, container: ContainerId, after: int) -> list[tuple[int, RunOutput]]:
        """Return the runs whose files are there, oldest first: not one that is just being begun."""
        runs = (run for run in self.output.runs(container) if run > after)
        found = ((run, self.output.find(container, run)) for run in runs)
        return [(run, files) for run, files in found if files is not None]

    async def _one_run(
        self, subject: Subject, run: int, files: RunOutput, wanted: _Asked
    ) -> AsyncGenerator[wire.LogsResponse, None]:
        of_run = RunOfSubject(subject, run)
        followed = of_run if wanted.follow or of_run.leaving else None
        async with LogReader(files, self.hub, wanted.selection, run=followed) as reader:
            pieces = self._until(reader, wanted.until)
            async for piece in lines(pieces) if wanted.as_lines else pieces:
                yield answer(piece, run)

    async def _until(
        self, reader: LogReader, until: datetime | None
    ) -> AsyncIterator[Chunk | Quiet]:
        """Yield what was written by ``until``. Both streams come in the order of time."""
        pause = self.heartbeat
        if until is not None:
            pause = min(pause, max(0.0, (until - self.now()).total_seconds()))
        async for piece in reader.pieces(pause):
            if isinstance(piece, Quiet):
                if self._past(until):
                    return
            elif until is not None and piece.time > until:
                return
            yield piece

    def _past(self, until: datetime | None) -> bool:
        return until is not None and self.now() > until

    def _files(self, subject: Subject, run: int) -> RunOutput | None:
        snapshot = subject.view.snapshot
        if run > snapshot.run:
            raise _no_run(subject, run)
        return self.output.find(snapshot.id, run) if run else None


def _over(subject: Subject, view: View) -> bool:
    """Whether no run is under way, and none to come by itself."""
    at_rest = isinstance(view.snapshot.state, Created | Exited | Stranded | Removing)
    return view.gone or (at_rest and not subject.restarters)


def _wanted(request: wire.LogsRequest) -> _Asked:
    if request.format not in _FORMATS:
        raise _not_served("format", f"{request.format} is not known here")
    for position, number in enumerate(request.streams):
        if number not in STREAMS:
            raise _not_served(f"streams[{position}]", f"{number} is not known here")
    if request.HasField("tail") and request.tail < 0:
        raise asked.refused("tail", "must not be negative")
    if request.all_runs and request.run:
        raise asked.refused("all_runs", "cannot be together with run")
    selection = Selection(
        streams=frozenset(STREAMS[number] for number in request.streams) or BOTH,
        since=asked.timestamp(request.since, "since") if request.HasField("since") else None,
        tail=request.tail if request.HasField("tail") else None,
    )
    return _Asked(
        selection=selection,
        until=asked.timestamp(request.until, "until") if request.HasField("until") else None,
        follow=request.follow,
        as_lines=request.format == wire.LOG_FORMAT_LINES,
    )


def _no_run(subject: Subject, run: int) -> errors.RunNotFound:
    container = subject.view.snapshot.id
    return errors.RunNotFound(
        f"cannot read output of container {container!r}: there is no output of run {run}",
        container=container,
        run=str(run),
    )


def _not_served(field: str, why: str) -> errors.NotServed:
    return errors.NotServed(f"cannot read logs: {field} {why}", Violation(field, why))
