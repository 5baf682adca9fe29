"""The processes of runs.

Law: Delete is what cleans up after a Create that failed or was never answered, whatever Get
says. Get and Wait are what is true; an answer that only says that the shim has gone is none.
"""

from __future__ import annotations

import asyncio
from functools import partial
from signal import SIGKILL
from typing import TYPE_CHECKING, Final

from google.protobuf import any_pb2

from moored import errors
from moored.containerd import refusals
from moored.containerd.connection import Absent
from moored.containerd.containers import runtime_options
from moored.containerd.timestamps import moment
from moored.containerd.values import Phase, ProcessExit, Task
from moored.containerd.waits import Waits
from moored.containerd_api import task_types_pb2, tasks_pb2, tasks_pb2_grpc, types_pb2

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.timestamp_pb2 import Timestamp

    from moored.containerd.connection import Connection
    from moored.containerd.values import Mount, Runtime
    from moored.model.identity import RunId

_RESOURCES: Final = "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources"
_DELETE_LIMIT: Final = 30.0
"""Seconds. It executes the runtime, stops the shim and unmounts."""
_SHIM_LOSS_LIMIT: Final = 10.0
"""Seconds that containerd may take to notice that a shim has died, and to clean up after it."""
_FIRST_PAUSE: Final = 0.02
_LONGEST_PAUSE: Final = 0.5

_PHASES: Final = {
    task_types_pb2.CREATED: Phase.CREATED,
    task_types_pb2.RUNNING: Phase.RUNNING,
    task_types_pb2.STOPPED: Phase.STOPPED,
    task_types_pb2.PAUSED: Phase.PAUSED,
    task_types_pb2.PAUSING: Phase.PAUSING,
}


class Tasks:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rpc = tasks_pb2_grpc.TasksStub(connection.channel)
        self.waits: Final = Waits()
        self._killed: set[RunId] = set()
        """Runs that were sent SIGKILL from here, until they are deleted."""

    async def create(
        self,
        run: RunId,
        *,
        runtime: Runtime,
        rootfs: Sequence[Mount],
        stdout: str,
        stderr: str,
        within: float,
        stdin: str = "",
        terminal: bool = False,
        owner: tuple[int, int] = (0, 0),
    ) -> int:
        """Make the task of a container record, up to its program's exec, and return its pid.

        ``stdout`` and ``stderr`` are regular files that exist; a terminal writes to the first of
        them, from its beginning. ``stdin`` is a FIFO, or empty for none. ``owner`` is whose on
        the host the pipes of its processes are. Whatever this raises, Delete must follow: the task
        may be there, wholly or in part.
        """
        request = tasks_pb2.CreateTaskRequest(
            container_id=run,
            rootfs=[_mount(mount) for mount in rootfs],
            stdout=stdout,
            stderr=stderr,
            stdin=stdin,
            terminal=terminal,
            options=runtime_options(runtime, owner),
        )
        deadline = asyncio.get_running_loop().time() + within
        try:
            reply = await self._connection.unary(
                self._rpc.Create, request, f"create task {run!r}", within=within, run=run
            )
        except errors.RuntimeRefused as refused:
            if asyncio.get_running_loop().time() >= deadline:
                # Whatever it says was only the echo of our own limit.
                why = f"it was not done in {within:g} s"
                raise errors.RuntimeUnreachable(
                    f"cannot create task {run!r}: {why}", run=run
                ) from refused
            raise refusals.meaning(refused) from refused
        return reply.pid

    async def start(self, run: RunId, *, within: float) -> int:
        """Let the task execute its program, and return its pid."""
        request = tasks_pb2.StartRequest(container_id=run)
        try:
            reply = await self._connection.unary(
                self._rpc.Start, request, f"start task {run!r}", within=within, run=run
            )
        except errors.RuntimeRefused as refused:
            raise refusals.meaning(refused) from refused
        return reply.pid

    async def kill(self, run: RunId, signal: int) -> bool:
        """Send ``signal``, and return whether there was a process to send it to."""
        request = tasks_pb2.KillRequest(container_id=run, signal=signal)
        first = signal == SIGKILL and run not in self._killed
        if first:  # before it is sent: what follows may be seen before the answer
            self._killed.add(run)
        try:
            await self._connection.unary(
                self._rpc.Kill, request, f"send signal {signal} to task {run!r}", run=run
            )
        except errors.RuntimeRefused as refused:
            if isinstance(refused, Absent) or refusals.says_already_finished(refused):
                if first:  # whatever ended it, that was not it
                    self._killed.discard(run)
                return False
            raise
        return True

    def killed(self, run: RunId) -> bool:
        """Whether SIGKILL was sent from here, or may have been."""
        return run in self._killed

    async def pause(self, run: RunId) -> bool:
        """Freeze every process of the task, and return whether there was one."""
        request = tasks_pb2.PauseTaskRequest(container_id=run)
        try:
            await self._connection.unary(self._rpc.Pause, request, f"pause task {run!r}", run=run)
        except Absent:
            return False
        return True

    async def update(self, run: RunId, resources: bytes) -> bool:
        """Give the task the limits of ``resources``, JSON; return whether it has not ended."""
        limits = any_pb2.Any(type_url=_RESOURCES, value=resources)
        request = tasks_pb2.UpdateTaskRequest(container_id=run, resources=limits)
        to = f"change limits of task {run!r}"
        try:
            await self._connection.unary(self._rpc.Update, request, to, run=run)
        except Absent:
            return False
        except errors.RuntimeRefused:
            # Of one that has just ended the runtime says so in words alone.
            task = await self.get(run)
            if task is None or task.phase is Phase.STOPPED:
                return False
            raise
        return True

    async def resume(self, run: RunId) -> bool:
        """Thaw the task, and return whether there was one."""
        request = tasks_pb2.ResumeTaskRequest(container_id=run)
        try:
            await self._connection.unary(self._rpc.Resume, request, f"resume task {run!r}", run=run)
        except Absent:
            return False
        return True

    async def delete(self, run: RunId) -> ProcessExit | None:
        """Delete a task that has exited or never ran, and return its exit; None: no task.

        A task that runs is refused, and one that never ran is better killed before: runc takes two
        seconds to do both, and then tells of an exit that was none. After an answer that only says
        that the shim has gone, this asks again until containerd has cleaned up.
        """
        pause = _FIRST_PAUSE
        deadline = asyncio.get_running_loop().time() + _SHIM_LOSS_LIMIT
        while True:
            try:
                return await self._delete(run)
            except errors.RuntimeRefused as refused:
                late = asyncio.get_running_loop().time() + pause > deadline
                if late or not refusals.says_shim_gone(refused):
                    raise await self._undeletable(run, refused) from refused
            await asyncio.sleep(pause)  # containerd notices by itself, and tells nobody when
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _delete(self, run: RunId) -> ProcessExit | None:
        request = tasks_pb2.DeleteTaskRequest(container_id=run)
        to = f"delete task {run!r}"
        try:
            reply = await self._connection.unary(
                self._rpc.Delete, request, to, within=_DELETE_LIMIT, run=run
            )
        except Absent:
            self._killed.discard(run)
            return None
        self._killed.discard(run)
        return _exit(reply.exit_status, reply.exited_at)

    async def _undeletable(
        self, run: RunId, refused: errors.RuntimeRefused
    ) -> errors.RuntimeRefused:
        """Return the plainest words for why the task cannot be deleted."""
        task = await self.get(run)
        if task is None or task.phase in (Phase.CREATED, Phase.STOPPED, Phase.UNKNOWN):
            return refused
        why = f"it is {task.phase}, with pid {task.pid}"
        return errors.RuntimeRefused(f"cannot delete task {run!r}: {why}", **refused.facts)

    async def get(self, run: RunId) -> Task | None:
        request = tasks_pb2.GetRequest(container_id=run)
        try:
            reply = await self._connection.ask(
                self._rpc.Get, request, f"look at task {run!r}", run=run
            )
        except Absent:
            return None
        return read(reply.process)

    async def list(self) -> list[Task]:
        request = tasks_pb2.ListTasksRequest()
        reply = await self._connection.ask(self._rpc.List, request, "list tasks")
        return [read(process) for process in reply.tasks]

    async def wait(self, run: RunId) -> ProcessExit | None:
        """Wait for the task's process to exit, for as long as it lives; None: no such task.

        RuntimeUnreachable: the connection was lost. RuntimeRefused: the shim has died, and the
        process may live: look at what is left.
        """
        request = tasks_pb2.WaitRequest(container_id=run)
        ask = partial(
            self._connection.unary,
            *(self._rpc.Wait, request, f"wait for task {run!r}"),
            within=None,
            run=run,
        )
        try:
            reply = await self.waits.answer((run, ""), ask)
        except Absent:
            return None
        return _exit(reply.exit_status, reply.exited_at)


def _mount(mount: Mount) -> types_pb2.Mount:
    return types_pb2.Mount(
        type=mount.type, source=mount.source, target=mount.target, options=mount.options
    )


def read(process: task_types_pb2.Process) -> Task:
    """Return what containerd says of a task. What cannot be is unknown, or the earliest moment."""
    phase = _PHASES.get(process.status, Phase.UNKNOWN)
    stopped = phase is Phase.STOPPED
    # Get leaves container_id empty.
    return Task(
        run=process.container_id or process.id,
        phase=phase,
        pid=process.pid,
        exit=_exit(process.exit_status, process.exited_at) if stopped else None,
    )


def _exit(status: int, at: Timestamp) -> ProcessExit:
    return ProcessExit(status, moment(at))
