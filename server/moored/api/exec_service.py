"""ExecService: from a request to the verb that answers it, and back."""

from __future__ import annotations

from dataclasses import dataclass
from signal import SIGKILL
from typing import TYPE_CHECKING, Final

from moorage.v1 import exec_service_pb2 as wire
from moored import errors
from moored.api import asked, asked_exec, duplex
from moored.api.exec_pictures import picture
from moored.errors import Violation
from moored.model.execs import EndReason
from moored.streams.output import Stream
from moored.verbs.exec_session import Piece, Session, Wiring

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from moored.api.answering import Context
    from moored.api.callers import Callers
    from moored.directory import Directory
    from moored.verbs.execute import Executor

HEARTBEAT: Final = 15.0
"""Seconds without output after which a stream says that it lives."""


@dataclass(frozen=True, kw_only=True)
class ExecServicer:
    directory: Directory
    executor: Executor
    callers: Callers
    heartbeat: float = HEARTBEAT

    async def Exec(  # noqa: N802
        self, requests: AsyncIterator[wire.ExecRequest], context: Context
    ) -> AsyncGenerator[wire.ExecResponse, None]:
        start = (await duplex.first(requests)).start
        wiring = Wiring(stdin=start.stdin, output=True, window=asked_exec.start_window(start))
        reference = asked.within(start, "container", "start")
        session = await self.executor.connect(
            reference, asked_exec.spec(start.spec, self._role(context)), wiring
        )
        try:
            async for response in duplex.both(
                self._responses(session), self._obey(requests, session)
            ):
                yield response
        finally:
            self.executor.leave(session)
        if session.reason is EndReason.SERVER_ENDED:
            raise errors.ShuttingDown("cannot go on with the command: the server is shutting down")

    async def ExecSync(  # noqa: N802
        self, request: wire.ExecSyncRequest, context: Context
    ) -> wire.ExecSyncResponse:
        done = await self.executor.run(
            asked.required(request, "container"),
            asked_exec.spec(request.spec, self._role(context)),
            stdin=asked_exec.stdin(request),
            within=asked_exec.time_limit(request),
            most=asked_exec.output_limit(request),
        )
        return wire.ExecSyncResponse(
            exec=picture(done.exec),
            stdout=done.stdout,
            stderr=done.stderr,
            truncated=done.truncated,
        )

    async def ExecDetached(  # noqa: N802
        self, request: wire.ExecDetachedRequest, context: Context
    ) -> wire.ExecDetachedResponse:
        reference = asked.required(request, "container")
        begun = await self.executor.detach(
            reference, asked_exec.spec(request.spec, self._role(context))
        )
        return wire.ExecDetachedResponse(exec=picture(begun))

    async def KillExec(  # noqa: N802
        self, request: wire.KillExecRequest, context: Context
    ) -> wire.KillExecResponse:
        number = asked_exec.signal(request.signal) if request.signal else SIGKILL
        exec_ = await self.executor.book.kill(asked.required(request, "exec"), number)
        return wire.KillExecResponse(exec=picture(exec_))

    async def InspectExec(  # noqa: N802
        self, request: wire.InspectExecRequest, context: Context
    ) -> wire.InspectExecResponse:
        found = self.executor.book.find(asked.required(request, "exec"))
        return wire.InspectExecResponse(exec=picture(found))

    async def ListExecs(  # noqa: N802
        self, request: wire.ListExecsRequest, context: Context
    ) -> wire.ListExecsResponse:
        container = None
        if request.container:
            container = self.directory.find(request.container).view.snapshot.id
        return wire.ListExecsResponse(execs=map(picture, self.executor.book.all(container)))

    def _role(self, context: Context) -> str:
        return self.callers.who(context).role

    async def _responses(self, session: Session) -> AsyncGenerator[wire.ExecResponse, None]:
        yield wire.ExecResponse(started=picture(session.exec))
        while (piece := await session.read(self.heartbeat)) is not None:
            yield _output(piece) if isinstance(piece, Piece) else _HEARTBEAT
        yield wire.ExecResponse(end=picture(session.exec))

    async def _obey(self, requests: AsyncIterator[wire.ExecRequest], session: Session) -> None:
        async for request in requests:
            await self._do(request, session)
        await self.executor.end_input(session)

    async def _do(self, request: wire.ExecRequest, session: Session) -> None:
        match request.WhichOneof("part"):
            case "stdin":
                await session.write(request.stdin)
            case "stdin_end":
                await self.executor.end_input(session)
            case "window":
                await self.executor.resize(session, asked_exec.window(request.window, "window"))
            case "signal":
                await self.executor.signal(session, asked_exec.signal(request.signal))
            case "start":
                raise asked.refused("start", "was given before")
            case _:
                why = "has to be one of those that are known here"
                raise errors.NotServed(f"cannot obey: part {why}", Violation("part", why))


_HEARTBEAT: Final = wire.ExecResponse(heartbeat=wire.ExecResponse.Heartbeat())


def _output(piece: Piece) -> wire.ExecResponse:
    if piece.stream is Stream.STDERR:
        return wire.ExecResponse(stderr=piece.data)
    return wire.ExecResponse(stdout=piece.data)
