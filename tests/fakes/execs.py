"""Execs: processes beside a task's own, with FIFOs that are held open as shims hold them.

``cat`` ends with its stdin; what others do at once or never is said in ``programs``.
"""

# methods are called as the protocol calls them

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from google.protobuf import empty_pb2

from moored.containerd_api import task_types_pb2, tasks_pb2
from tests.fakes.programs import outcome
from tests.fakes.refusals import exists, not_found, unknown, unmet
from tests.fakes.store import never

if TYPE_CHECKING:
    from tests.fakes.store import Store, Task

KILL: Final = 9
_UNFIT: Final = {
    task_types_pb2.PAUSED: "paused",
    task_types_pb2.STOPPED: "stopped",
}
_LAST_NAME: Final = "nope"
"""The one program that no container has."""


@dataclass
class Exec:
    """``fds`` are the FIFOs that its shim holds, by the name of the stream."""

    process: task_types_pb2.Process
    args: tuple[str, ...]
    fds: dict[str, int] = field(default_factory=dict)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    cut: bool = False
    pending: bool = False
    """A SIGKILL that a frozen process has not felt yet."""
    window: tuple[int, int] = (0, 0)
    stdin_closed: bool = False

    @property
    def alive(self) -> bool:
        return self.process.status == task_types_pb2.RUNNING


def prepare(task: Task, request: tasks_pb2.ExecProcessRequest) -> empty_pb2.Empty:
    if why := _UNFIT.get(task.process.status):
        raise unknown(f"cannot exec in a {why} state: unknown")
    name = request.exec_id
    if name in task.execs:
        raise exists(f"id {name}: already exists")
    process = task_types_pb2.Process(
        id=name,
        status=task_types_pb2.CREATED,
        stdin=request.stdin,
        stdout=request.stdout,
        stderr=request.stderr,
        terminal=request.terminal,
        exited_at=never(),
    )
    task.execs[name] = Exec(process, tuple(json.loads(request.spec.value)["args"]))
    return empty_pb2.Empty()


def start(store: Store, task: Task, name: str) -> tasks_pb2.StartResponse:
    found = find(task, name)
    if found.process.status == task_types_pb2.RUNNING:
        raise unknown("cannot start a running process: unknown")
    if found.process.status == task_types_pb2.STOPPED:
        raise unknown("cannot start a stopped process: unknown")
    program = found.args[0]
    if PurePosixPath(program).name == _LAST_NAME:
        found.process.status = task_types_pb2.STOPPED
        found.ended.set()
        why = f'exec: "{program}": executable file not found in $PATH'
        raise unknown(
            f"OCI runtime exec failed: exec failed: unable to start container process: {why}"
            ": unknown"
        )
    found.process.pid = store.new_pid()
    found.process.status = task_types_pb2.RUNNING
    _open(found)
    store.tell(f">exec {name}")
    if (done := outcome(found.args)) is not None:
        if "stdout" in found.fds:
            os.write(found.fds["stdout"], done.output.encode())
        end(store, found, done.status)
    elif PurePosixPath(program).name == "cat" and "stdin" in found.fds:
        _copy(store, found)
    return tasks_pb2.StartResponse(pid=found.process.pid)


async def wait(task: Task, name: str) -> tasks_pb2.WaitResponse:
    found = find(task, name)
    await found.ended.wait()
    if found.cut:
        raise unknown("ttrpc: closed: unknown")
    process = found.process
    return tasks_pb2.WaitResponse(exit_status=process.exit_status, exited_at=process.exited_at)


def kill(store: Store, task: Task, name: str, signal: int) -> empty_pb2.Empty:
    found = find(task, name)
    if found.process.status == task_types_pb2.CREATED:
        raise unmet("process not created")
    if not found.alive:
        if not found.process.pid:
            raise unmet("process not created")
        raise not_found("process already finished: not found")
    if task.process.status == task_types_pb2.PAUSED:
        found.pending = True
    elif signal == KILL or signal not in task.deaf_to:
        end(store, found, 128 + signal)
    return empty_pb2.Empty()


def delete(store: Store, task: Task, name: str) -> tasks_pb2.DeleteResponse:
    found = find(task, name)
    if found.alive:
        raise unknown("cannot delete a running process: unknown")
    del task.execs[name]
    store.tell(f"-exec {name}")
    process = found.process
    return tasks_pb2.DeleteResponse(
        id=name, pid=process.pid, exit_status=process.exit_status, exited_at=process.exited_at
    )


def resize(task: Task, request: tasks_pb2.ResizePtyRequest) -> empty_pb2.Empty:
    window = (request.width, request.height)
    if request.exec_id:
        find(task, request.exec_id).window = window
    else:
        task.window = window
    return empty_pb2.Empty()


def close_stdin(store: Store, task: Task, name: str) -> empty_pb2.Empty:
    if not name:
        task.stdin_closed = True
        return empty_pb2.Empty()
    found = find(task, name)
    found.stdin_closed = True
    if found.alive and PurePosixPath(found.args[0]).name == "cat":
        _copied(store, found)
    return empty_pb2.Empty()


def find(task: Task, name: str) -> Exec:
    if (found := task.execs.get(name)) is None:
        raise not_found(f"process does not exist {name}: not found")
    return found


def end(store: Store, found: Exec, status: int) -> None:
    """Let the process exit; it stays until it is deleted."""
    process = found.process
    process.status = task_types_pb2.STOPPED
    process.exit_status = status
    process.exited_at.FromDatetime(store.now())
    close(found)
    found.ended.set()
    store.tell(f".exec {process.id}")


def end_all(store: Store, task: Task) -> None:
    """Let the kernel end what lives in the namespace of a process that has ended."""
    for found in task.execs.values():
        if found.alive:
            end(store, found, 128 + KILL)


def thaw(store: Store, task: Task) -> None:
    for found in task.execs.values():
        if found.pending and found.alive:
            end(store, found, 128 + KILL)


def cut_all(task: Task) -> None:
    """Break off what waits for execs whose shim is gone."""
    for found in task.execs.values():
        if not found.ended.is_set():
            found.cut = True
            close(found)
            found.ended.set()


def close(found: Exec) -> None:
    for name, fd in found.fds.items():
        if name == "stdin":
            asyncio.get_running_loop().remove_reader(fd)
        os.close(fd)
    found.fds.clear()


def _open(found: Exec) -> None:
    """Open every FIFO at both ends, as a shim does: nobody else's coming or going is felt."""
    for stream in ("stdin", "stdout", "stderr"):
        if path := getattr(found.process, stream):
            found.fds[stream] = os.open(path, os.O_RDWR | os.O_NONBLOCK)


def _copy(store: Store, found: Exec) -> None:
    def copied() -> None:
        _copied(store, found)

    asyncio.get_running_loop().add_reader(found.fds["stdin"], copied)


def _copied(store: Store, found: Exec) -> None:
    """Copy what there is to copy; with stdin closed that was all."""
    try:
        while True:
            os.write(found.fds["stdout"], os.read(found.fds["stdin"], 4096))
    except BlockingIOError:
        if found.stdin_closed:
            end(store, found, 0)
