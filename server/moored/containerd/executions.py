"""Processes beside the first one of a task, and the streams of both.

Law: a process that was prepared is there until it is deleted, whether or not it could be
begun; one that lives cannot be deleted. An empty ``exec_id`` is the task's own process.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from google.protobuf.any_pb2 import Any

from moored import errors
from moored.containerd import refusals
from moored.containerd.connection import Absent, Unmet
from moored.containerd.timestamps import moment
from moored.containerd.values import ProcessExit
from moored.containerd_api import tasks_pb2, tasks_pb2_grpc

if TYPE_CHECKING:
    from moored.containerd.connection import Connection
    from moored.containerd.waits import Waits
    from moored.model.execs import ExecId, WindowSize
    from moored.model.identity import RunId

_PROCESS_TYPE: Final = "types.containerd.io/opencontainers/runtime-spec/1/Process"
_FIRST: Final = ""


class Executions:
    def __init__(self, connection: Connection, waits: Waits) -> None:
        self._connection = connection
        self._waits = waits
        self._rpc = tasks_pb2_grpc.TasksStub(connection.channel)

    async def prepare(
        self,
        run: RunId,
        exec_id: ExecId,
        process: bytes,
        *,
        stdin: str,
        stdout: str,
        stderr: str,
        terminal: bool,
    ) -> None:
        """Tell containerd of a process. Each stream is the path of a FIFO, or empty for none.

        Whatever this raises, ``delete`` must follow.
        """
        request = tasks_pb2.ExecProcessRequest(
            container_id=run,
            exec_id=exec_id,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            terminal=terminal,
            spec=Any(type_url=_PROCESS_TYPE, value=process),
        )
        to = f"prepare exec {exec_id!r} in task {run!r}"
        await self._connection.unary(self._rpc.Exec, request, to, run=run, exec=exec_id)

    async def start(self, run: RunId, exec_id: ExecId, *, within: float) -> int:
        """Begin a prepared process, and return its pid."""
        request = tasks_pb2.StartRequest(container_id=run, exec_id=exec_id)
        to = f"start exec {exec_id!r} in task {run!r}"
        try:
            reply = await self._connection.unary(
                self._rpc.Start, request, to, within=within, run=run, exec=exec_id
            )
        except errors.RuntimeRefused as refused:
            raise refusals.meaning(refused) from refused
        return reply.pid

    async def wait(self, run: RunId, exec_id: ExecId) -> ProcessExit | None:
        """Wait for the process to exit, for as long as it lives; None: there is none.

        RuntimeUnreachable: the connection was lost. RuntimeRefused: the shim has died.
        """
        request = tasks_pb2.WaitRequest(container_id=run, exec_id=exec_id)
        to = f"wait for exec {exec_id!r} in task {run!r}"
        ask = partial(
            self._connection.unary,
            *(self._rpc.Wait, request, to),
            within=None,
            run=run,
            exec=exec_id,
        )
        try:
            reply = await self._waits.answer((run, exec_id), ask)
        except Absent:
            return None
        return ProcessExit(reply.exit_status, moment(reply.exited_at))

    async def kill(self, run: RunId, exec_id: ExecId, signal: int) -> bool:
        """Send ``signal``, and return whether there was a process to send it to."""
        request = tasks_pb2.KillRequest(container_id=run, exec_id=exec_id, signal=signal)
        to = f"send signal {signal} to exec {exec_id!r} in task {run!r}"
        try:
            await self._connection.unary(self._rpc.Kill, request, to, run=run, exec=exec_id)
        except (Absent, Unmet):  # it has ended, or never began
            return False
        except errors.RuntimeRefused as refused:
            if refusals.says_already_finished(refused):
                return False
            raise
        return True

    async def delete(self, run: RunId, exec_id: ExecId) -> bool:
        """Forget a process that has ended or never began; return whether there was one.

        Others may hold its output open: containerd gives them two seconds, and closes it.
        """
        request = tasks_pb2.DeleteProcessRequest(container_id=run, exec_id=exec_id)
        to = f"delete exec {exec_id!r} of task {run!r}"
        try:
            await self._connection.unary(
                self._rpc.DeleteProcess, request, to, run=run, exec=exec_id
            )
        except Absent:
            return False
        return True

    async def pid(self, run: RunId, exec_id: ExecId) -> int:
        """Return the pid of a process, and 0 if there is none any more."""
        request = tasks_pb2.GetRequest(container_id=run, exec_id=exec_id)
        to = f"look at exec {exec_id!r} of task {run!r}"
        try:
            reply = await self._connection.ask(self._rpc.Get, request, to, run=run, exec=exec_id)
        except Absent:
            return 0
        return reply.process.pid

    async def resize(self, run: RunId, window: WindowSize, exec_id: str = _FIRST) -> bool:
        """Give the terminal of a process another size; return whether there is such a process."""
        request = tasks_pb2.ResizePtyRequest(
            container_id=run, exec_id=exec_id, width=window.width, height=window.height
        )
        to = f"resize terminal of {_named(run, exec_id)}"
        try:
            await self._connection.unary(self._rpc.ResizePty, request, to, run=run)
        except Absent:
            return False
        return True

    async def close_stdin(self, run: RunId, exec_id: str = _FIRST) -> bool:
        """Let the shim close its end of stdin; return whether there is such a process.

        The process reads the end of the file once nobody else has it open and all that was
        written is read. A terminal is hung up.
        """
        request = tasks_pb2.CloseIORequest(container_id=run, exec_id=exec_id, stdin=True)
        to = f"close stdin of {_named(run, exec_id)}"
        try:
            await self._connection.unary(self._rpc.CloseIO, request, to, run=run)
        except Absent:
            return False
        return True


def _named(run: RunId, exec_id: str) -> str:
    return f"exec {exec_id!r} of task {run!r}" if exec_id else f"task {run!r}"
