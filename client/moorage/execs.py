"""Commands in containers that run, and callers attached to what runs. Part of ``Client``.

``exec`` and ``attach`` are asynchronous contexts: entered once the server has connected us,
iterated over for the output, and left at any time. Leaving ends an exec that has not ended by
itself, and only detaches from a container.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Final, Unpack

from moorage.changes import ANSWER_WITHIN, SLACK
from moorage.connected import Attachment, Execution
from moorage.v1 import container_service_pb2 as attach_wire
from moorage.v1 import exec_service_pb2 as wire
from moorage.v1.terminal_pb2 import WindowSize

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from datetime import timedelta

    from moorage.connection import CallOptions, Connection
    from moorage.dialogues import Dialogue
    from moorage.v1.container_service_pb2_grpc import ContainerServiceAsyncStub
    from moorage.v1.exec_service_pb2_grpc import ExecServiceAsyncStub

_LONGEST_SYNC: Final = 3600.0


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
        privileged: bool = False,
        tty: bool = False,
        stdin: bool = False,
        window: tuple[int, int] | None = None,
        **options: Unpack[CallOptions],
    ) -> AsyncIterator[Execution]:
        """Execute a command, and be connected to it. ``window`` is width and height."""
        spec = _spec(args, env, working_dir, user, privileged=privileged, tty=tty)
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
        privileged: bool = False,
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
            spec=_spec(args, env, working_dir, user, privileged=privileged),
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
        privileged: bool = False,
        request_id: str = "",
        **options: Unpack[CallOptions],
    ) -> wire.ExecDetachedResponse:
        """Execute a command that nobody is connected to. It goes on without us."""
        spec = _spec(args, env, working_dir, user, privileged=privileged)
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
    args: Sequence[str],
    env: Sequence[str],
    working_dir: str,
    user: str,
    *,
    privileged: bool,
    tty: bool = False,
) -> wire.ExecSpec:
    return wire.ExecSpec(
        args=args, env=env, working_dir=working_dir, user=user, tty=tty, privileged=privileged
    )


def _size(window: tuple[int, int] | None) -> WindowSize | None:
    return WindowSize(width=window[0], height=window[1]) if window else None
