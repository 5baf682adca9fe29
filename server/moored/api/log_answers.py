"""One piece of output, as an answer of Logs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from moorage.v1 import container_service_pb2 as wire
from moored.api.pictures import time
from moored.streams.lines import Line
from moored.streams.logs import Quiet
from moored.streams.output import Stream

if TYPE_CHECKING:
    from moored.streams.source import Chunk

STREAMS: Final[dict[int, Stream]] = {
    wire.LOG_STREAM_STDOUT: Stream.STDOUT,
    wire.LOG_STREAM_STDERR: Stream.STDERR,
}
NUMBERS: Final = {stream: number for number, stream in STREAMS.items()}


def answer(piece: Chunk | Line | Quiet, run: int) -> wire.LogsResponse:
    if isinstance(piece, Quiet):
        return wire.LogsResponse(run=run, heartbeat=wire.LogsResponse.Heartbeat())
    answer = wire.LogsResponse(
        stream=NUMBERS[piece.stream],  # type: ignore[arg-type]  # an enum's number is an int
        run=run,
        offset=piece.offset,
        time=time(piece.time),
    )
    if isinstance(piece, Line):
        answer.line = piece.text
    else:
        answer.data = piece.data
    return answer


def mark(run: int) -> wire.LogsResponse:
    return wire.LogsResponse(run=run, run_mark=wire.LogsResponse.RunMark())
