"""Where a container's output goes here: to our own streams byte by byte, as lines, as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from moorage.cli.invocation import as_json, complain, warn
from moorage.cli.outlets import Outlet
from moorage.v1.container_service_pb2 import LOG_STREAM_STDERR, LogsResponse

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from google.protobuf.timestamp_pb2 import Timestamp

_STDOUT: Final = 1
_STDERR: Final = 2


class Sink(Protocol):
    async def write(self, piece: LogsResponse) -> None:
        """Write a piece of output. Raises BrokenPipeError once nobody reads."""

    async def tell(self, answer: Message) -> None:
        """Write what is not output, where the reader expects such."""


class TextSink:
    """Each stream to our own of that name: exactly as it was written, or lines with times."""

    def __init__(self) -> None:
        self._out, self._err = Outlet(_STDOUT), Outlet(_STDERR)

    async def write(self, piece: LogsResponse) -> None:
        outlet = self._err if piece.stream == LOG_STREAM_STDERR else self._out
        match piece.WhichOneof("payload"):
            case "data":
                await outlet.write(piece.data)
            case "run_mark":
                complain(f"run {piece.run}")
            case "line":
                await outlet.write(f"{_stamp(piece.time)} {piece.line}\n".encode())

    async def tell(self, answer: Message) -> None:
        warn(answer)


class JsonSink:
    """Each message on a line of its own, heartbeats left out."""

    def __init__(self) -> None:
        self._out = Outlet(_STDOUT)

    async def write(self, piece: LogsResponse) -> None:
        if piece.WhichOneof("payload") != "heartbeat":
            await self.tell(piece)

    async def tell(self, answer: Message) -> None:
        await self._out.write(f"{as_json(answer, indent=None)}\n".encode())


def sink(*, json: bool) -> Sink:
    return JsonSink() if json else TextSink()


def _stamp(time: Timestamp) -> str:
    return time.ToDatetime().isoformat(timespec="microseconds") + "Z"
