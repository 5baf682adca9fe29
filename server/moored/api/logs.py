"""Logs on the wire: which run, which part of its output, as bytes or as lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from moorage.v1 import container_service_pb2 as wire
from moored import errors
from moored.api import asked
from moored.api.pictures import time
from moored.errors import Violation
from moored.streams.lines import lines
from moored.streams.logs import LogReader, Quiet, Selection
from moored.streams.output import BOTH, Stream
from moored.verbs.followed_run import RunOfSubject

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from moored.directory import Directory, Subject
    from moored.streams.follow import Hub
    from moored.streams.lines import Line
    from moored.streams.output import Output, RunOutput
    from moored.streams.source import Chunk

HEARTBEAT: Final = 15.0
"""Seconds without output after which a stream says that it lives."""
_STREAMS: Final[dict[int, Stream]] = {
    wire.LOG_STREAM_STDOUT: Stream.STDOUT,
    wire.LOG_STREAM_STDERR: Stream.STDERR,
}
NUMBERS: Final = {stream: number for number, stream in _STREAMS.items()}
_FORMATS: Final = (
    wire.LOG_FORMAT_UNSPECIFIED,
    wire.LOG_FORMAT_BYTES,
    wire.LOG_FORMAT_LINES,
)


@dataclass(frozen=True, kw_only=True)
class LogsDesk:
    directory: Directory
    output: Output
    hub: Hub
    heartbeat: float = HEARTBEAT

    async def read(self, request: wire.LogsRequest) -> AsyncIterator[wire.LogsResponse]:
        selection = _selection(request)
        subject = self.directory.find(asked.required(request, "container"))
        run = request.run or subject.view.snapshot.run
        files = self._files(subject, run)
        if files is None:
            if request.run:
                raise _no_run(subject, run)
            return
        of_run = RunOfSubject(subject, run)
        followed = of_run if request.follow or of_run.leaving else None
        async with LogReader(files, self.hub, selection, run=followed) as reader:
            pieces = reader.pieces(self.heartbeat)
            if request.format == wire.LOG_FORMAT_LINES:
                async for line in lines(pieces):
                    yield _line(line, run)
            else:
                async for piece in pieces:
                    yield _chunk(piece, run)

    def _files(self, subject: Subject, run: int) -> RunOutput | None:
        snapshot = subject.view.snapshot
        if run > snapshot.run:
            raise _no_run(subject, run)
        return self.output.find(snapshot.id, run) if run else None


def _selection(request: wire.LogsRequest) -> Selection:
    if request.format not in _FORMATS:
        raise _not_served("format", f"{request.format} is not known here")
    for position, number in enumerate(request.streams):
        if number not in _STREAMS:
            raise _not_served(f"streams[{position}]", f"{number} is not known here")
    if request.HasField("tail") and request.tail < 0:
        raise asked.refused("tail", "must not be negative")
    return Selection(
        streams=frozenset(_STREAMS[number] for number in request.streams) or BOTH,
        since=asked.timestamp(request.since, "since") if request.HasField("since") else None,
        tail=request.tail if request.HasField("tail") else None,
    )


def _chunk(piece: Chunk | Quiet, run: int) -> wire.LogsResponse:
    if isinstance(piece, Quiet):
        return wire.LogsResponse(run=run, heartbeat=wire.LogsResponse.Heartbeat())
    return wire.LogsResponse(
        stream=NUMBERS[piece.stream],  # type: ignore[arg-type]  # an enum's number is an int
        run=run,
        offset=piece.offset,
        time=time(piece.time),
        data=piece.data,
    )


def _line(line: Line | Quiet, run: int) -> wire.LogsResponse:
    if isinstance(line, Quiet):
        return wire.LogsResponse(run=run, heartbeat=wire.LogsResponse.Heartbeat())
    return wire.LogsResponse(
        stream=NUMBERS[line.stream],  # type: ignore[arg-type]
        run=run,
        offset=line.offset,
        time=time(line.time),
        line=line.text,
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
