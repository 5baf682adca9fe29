"""Attach on the wire: a caller beside a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from moorage.v1 import container_service_pb2 as wire
from moored import errors
from moored.api import asked, asked_exec, duplex, pictures
from moored.api.log_answers import NUMBERS
from moored.errors import Violation
from moored.streams.logs import Quiet
from moored.verbs.attach import EndReason

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from moored.streams.source import Chunk
    from moored.verbs.attach import Attacher, Attachment

HEARTBEAT: Final = 15.0
"""Seconds without output after which a stream says that it lives."""
REASONS: Final = {
    EndReason.RUN_ENDED: wire.ATTACH_END_REASON_RUN_ENDED,
    EndReason.REMOVED: wire.ATTACH_END_REASON_REMOVED,
}


@dataclass(frozen=True, kw_only=True)
class AttachDesk:
    attacher: Attacher
    heartbeat: float = HEARTBEAT

    async def attach(
        self, requests: AsyncIterator[wire.AttachRequest]
    ) -> AsyncGenerator[wire.AttachResponse, None]:
        start = (await duplex.first(requests)).start
        attachment = await self.attacher.attach(
            asked.within(start, "container", "start"),
            asked_exec.selection(start),
            run=start.run,
            stdin=start.stdin,
        )
        async with attachment:
            if start.HasField("window"):
                await attachment.resize(asked_exec.window(start.window, "start.window"))
            async for response in duplex.both(
                self._responses(attachment), _obey(requests, attachment)
            ):
                yield response

    async def _responses(self, attachment: Attachment) -> AsyncGenerator[wire.AttachResponse, None]:
        yield wire.AttachResponse(started=pictures.container(attachment.snapshot))
        while (piece := await attachment.read(self.heartbeat)) is not None:
            yield _HEARTBEAT if isinstance(piece, Quiet) else _output(piece)
        reason, exit = attachment.end()
        end = wire.AttachEnd(reason=REASONS[reason], exit=pictures.ended(exit) if exit else None)
        yield wire.AttachResponse(end=end)


async def _obey(requests: AsyncIterator[wire.AttachRequest], attachment: Attachment) -> None:
    async for request in requests:
        await _do(request, attachment)
    attachment.leave_stdin()


async def _do(request: wire.AttachRequest, attachment: Attachment) -> None:
    match request.WhichOneof("part"):
        case "stdin":
            await attachment.write(request.stdin)
        case "stdin_end":
            await attachment.end_stdin()
        case "window":
            await attachment.resize(asked_exec.window(request.window, "window"))
        case "signal":
            await attachment.signal(asked_exec.signal(request.signal))
        case "start":
            raise asked.refused("start", "was given before")
        case _:
            why = "has to be one of those that are known here"
            raise errors.NotServed(f"cannot obey: part {why}", Violation("part", why))


_HEARTBEAT: Final = wire.AttachResponse(heartbeat=wire.AttachResponse.Heartbeat())


def _output(piece: Chunk) -> wire.AttachResponse:
    return wire.AttachResponse(
        output=wire.AttachOutput(
            stream=NUMBERS[piece.stream],  # type: ignore[arg-type]  # an enum's number is an int
            offset=piece.offset,
            time=pictures.time(piece.time),
            data=piece.data,
        )
    )
