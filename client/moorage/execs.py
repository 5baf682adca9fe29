"""Commands in containers that run, and callers attached to what runs. Part of ``Client``.

``exec`` and ``attach`` are asynchronous contexts: entered once the server has connected us,
iterated over for the output, and left at any time. Leaving ends an exec that has not ended by
itself, and only detaches from a container.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, Unpack

from moorage.changes import ANSWER_WITHIN, SLACK
from moorage.v1 import container_service_pb2 as attach_wire
from moorage.v1 import exec_service_pb2 as wire
from moorage.v1.terminal_pb2 import StdinEnd, WindowSize

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence
    from datetime import timedelta

    from moorage.connection import CallOptions, Connection
    from moorage.dialogues import Dialogue
    from moorage.v1.container_pb2 import Container
    from moorage.v1.container_service_pb2_grpc import ContainerServiceAsyncStub
    from moorage.v1.exec_service_pb2_grpc import ExecServiceAsyncStub

LARGEST_WRITE: Final = 128 * 1024
"""Bytes of stdin that are sent in one message."""
_LONGEST_SYNC: Final = 3600.0


@dataclass(frozen=True)
class Output:
    """Some output, in the order in which it came."""

    data: bytes
    stderr: bool = False
    offset: int | None = None
    """Of the first byte in its stream; None for an exec, whose output is not kept."""


class Connected(Protocol):
    """Streams of something that runs: what ``exec`` and ``attach`` have in common."""

    def __aiter__(self) -> AsyncIterator[Output]: ...
    async def write(self, data: bytes) -> None: ...
    async def end_stdin(self) -> None: ...
    async def resize(self, width: int, height: int) -> None: ...
    async def signal(self, signal: str) -> None: ...


class _Streams:
    """Writes to a dialogue whose requests have parts of these names."""

    def __init__(self, dialogue: Dialogue[Any, Any], request: type[Any]) -> None:
        self._dialogue = dialogue
        self._request = request

    async def write(self, data: bytes) -> None:
        """Write to stdin, as fast as it is read. What nobody reads any more is dropped."""
        for at in range(0, len(data), LARGEST_WRITE):
            await self._dialogue.send(self._request(stdin=data[at : at + LARGEST_WRITE]))

    async def end_stdin(self) -> None:
        """Let it read the end of its stdin. A terminal is hung up."""
        await self._dialogue.send(self._request(stdin_end=StdinEnd()))

    async def resize(self, width: int, height: int) -> None:
        """Give its terminal another size, in characters."""
        await self._dialogue.send(self._request(window=WindowSize(width=width, height=height)))

    async def signal(self, signal: str) -> None:
        """Send it a signal, by name or number."""
        await self._dialogue.send(self._request(signal=signal))


class Execution(_Streams):
    """A command that runs. ``ended`` has its exit once the iteration has come to its end."""

    def __init__(self, dialogue: Dialogue[wire.ExecRequest, wire.ExecResponse]) -> None:
        super().__init__(dialogue, wire.ExecRequest)
        self.started = wire.Exec()
        self.ended: wire.Exec | None = None

    async def begin(self) -> None:
        """``Execs.exec``'s work: call that."""
        first = await self._dialogue.receive()
        if first is not None:
            self.started = first.started

    async def __aiter__(self) -> AsyncGenerator[Output, None]:
        while (response := await self._dialogue.receive()) is not None:
            match response.WhichOneof("part"):
                case "stdout":
                    yield Output(response.stdout)
                case "stderr":
                    yield Output(response.stderr, stderr=True)
                case "end":
                    self.ended = response.end


class Attachment(_Streams):
    """A run that we are attached to. ``ended`` says how it ended, once the iteration has."""

    def __init__(
        self, dialogue: Dialogue[attach_wire.AttachRequest, attach_wire.AttachResponse]
    ) -> None:
        super().__init__(dialogue, attach_wire.AttachRequest)
        self.container: Container | None = None
        """As it was when this began."""
        self.ended: attach_wire.AttachEnd | None = None

    async def begin(self) -> None:
        """``Execs.attach``'s work: call that."""
        first = await self._dialogue.receive()
        if first is not None:
            self.container = first.started

    async def __aiter__(self) -> AsyncGenerator[Output, None]:
        while (response := await self._dialogue.receive()) is not None:
            match response.WhichOneof("part"):
                case "output":
                    output = response.output
                    stderr = output.stream == attach_wire.LOG_STREAM_STDERR
                    yield Output(output.data, stderr, output.offset)
                case "end":
                    self.ended = response.end


class Execs:
    _connection: Connection
    containers: ContainerServiceAsyncStub
    execs: ExecServiceAsyncStub

    @asynccontextmanager
    async def exec(
        self,
        container: str,
        args: Sequence[str],
        *,
        env: Sequence[str] = (),
        working_dir: str = "",
        user: str = "",
        tty: bool = False,
        stdin: bool = False,
        window: tuple[int, int] | None = None,
        **options: Unpack[CallOptions],
    ) -> AsyncIterator[Execution]:
        """Execute a command, and be connected to it. ``window`` is width and height."""
        spec = _spec(args, env, working_dir, user, tty=tty)
        start = wire.ExecStart(container=container, spec=spec, stdin=stdin, window=_size(window))
        to = f"execute command in container {container!r}"
        dialogue: Dialogue[wire.ExecRequest, wire.ExecResponse]
        dialogue = self._connection.converse(self.execs.Exec, to, options)
        execution = Execution(dialogue)
        try:
            await dialogue.send(wire.ExecRequest(start=start))
            await execution.begin()
            yield execution
        finally:
            dialogue.cancel()

    @asynccontextmanager
    async def attach(
        self,
        container: str,
        *,
        stdin: bool = False,
        tail: int | None = None,
        stdout_offset: int = 0,
        stderr_offset: int = 0,
        window: tuple[int, int] | None = None,
        run: int = 0,
        **options: Unpack[CallOptions],
    ) -> AsyncIterator[Attachment]:
        """Be attached to a run: to what it wrote, from where we say, and to what it writes."""
        start = attach_wire.AttachStart(
            container=container,
            stdin=stdin,
            tail=tail,
            stdout_offset=stdout_offset,
            stderr_offset=stderr_offset,
            window=_size(window),
            run=run,
        )
        to = f"attach to container {container!r}"
        dialogue: Dialogue[attach_wire.AttachRequest, attach_wire.AttachResponse]
        dialogue = self._connection.converse(self.containers.Attach, to, options)
        attachment = Attachment(dialogue)
        try:
            await dialogue.send(attach_wire.AttachRequest(start=start))
            await attachment.begin()
            yield attachment
        finally:
            dialogue.cancel()

    async def exec_sync(
        self,
        container: str,
        args: Sequence[str],
        *,
        env: Sequence[str] = (),
        working_dir: str = "",
        user: str = "",
        stdin: bytes = b"",
        limit: timedelta | None = None,
        output_limit: int = 0,
        request_id: str = "",
        **options: Unpack[CallOptions],
    ) -> wire.ExecSyncResponse:
        """Execute a command to its end. ``limit`` is the request's own timeout: then it is killed.

        How it ended is in ``exec.exit`` and ``exec.end_reason``.
        """
        request = wire.ExecSyncRequest(
            container=container,
            spec=_spec(args, env, working_dir, user),
            stdin=stdin,
            timeout=limit,
            output_limit=output_limit,
            request_id=request_id,
        )
        within = (_LONGEST_SYNC if limit is None else limit.total_seconds()) + SLACK
        to = f"execute command in container {container!r}"
        return await self._connection.ask(self.execs.ExecSync, request, to, options, within)

    async def exec_detached(
        self,
        container: str,
        args: Sequence[str],
        *,
        env: Sequence[str] = (),
        working_dir: str = "",
        user: str = "",
        request_id: str = "",
        **options: Unpack[CallOptions],
    ) -> wire.ExecDetachedResponse:
        """Execute a command that nobody is connected to. It goes on without us."""
        spec = _spec(args, env, working_dir, user)
        request = wire.ExecDetachedRequest(container=container, spec=spec, request_id=request_id)
        to = f"execute command in container {container!r}"
        ask = partial(self._connection.ask, self.execs.ExecDetached)
        return await ask(request, to, options, ANSWER_WITHIN)

    async def kill_exec(
        self,
        exec_id: str,
        *,
        signal: str = "",
        request_id: str = "",
        **options: Unpack[CallOptions],
    ) -> wire.KillExecResponse:
        """Send a signal to the process of an exec: SIGKILL, unless another is named."""
        request = wire.KillExecRequest(exec=exec_id, signal=signal, request_id=request_id)
        to = f"kill exec {exec_id!r}"
        return await self._connection.ask(self.execs.KillExec, request, to, options, ANSWER_WITHIN)

    async def inspect_exec(
        self, exec_id: str, **options: Unpack[CallOptions]
    ) -> wire.InspectExecResponse:
        """Tell what is known of an exec."""
        request = wire.InspectExecRequest(exec=exec_id)
        to = f"inspect exec {exec_id!r}"
        ask = partial(self._connection.ask, self.execs.InspectExec)
        return await ask(request, to, options, ANSWER_WITHIN)

    async def list_execs(
        self, container: str = "", **options: Unpack[CallOptions]
    ) -> wire.ListExecsResponse:
        """Tell what is known of the execs of a container, or of all."""
        request = wire.ListExecsRequest(container=container)
        to = "list execs"
        return await self._connection.ask(self.execs.ListExecs, request, to, options, ANSWER_WITHIN)


def _spec(
    args: Sequence[str], env: Sequence[str], working_dir: str, user: str, *, tty: bool = False
) -> wire.ExecSpec:
    return wire.ExecSpec(args=args, env=env, working_dir=working_dir, user=user, tty=tty)


def _size(window: tuple[int, int] | None) -> WindowSize | None:
    return WindowSize(width=window[0], height=window[1]) if window else None
