"""Tasks: processes that are numbers, in bundles that are directories."""

# ruff: noqa: N802  # methods are called as the protocol calls them

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from google.protobuf import empty_pb2

from moored.containerd_api import (
    task_events_pb2,
    task_types_pb2,
    tasks_pb2,
    tasks_pb2_grpc,
)
from tests.fakes import creation, execs
from tests.fakes.programs import outcome
from tests.fakes.refusals import exists, lost, not_found, unknown
from tests.fakes.store import Task, never

if TYPE_CHECKING:
    from datetime import datetime
    from signal import Signals

    from tests.fakes.faults import Faults
    from tests.fakes.refusals import Context
    from tests.fakes.store import Namespace, Store

KILL: Final = 9
_LAST_SIGNAL: Final = 64
_HARMLESS: Final = frozenset({0, 17, 18, 23, 28})
"""None, CHLD, CONT, URG and WINCH."""
_RUNC_INIT_STATUS: Final = 2
"""What a process that is not started yet says of a signal that would end it politely."""
_DOING: Final = {
    task_types_pb2.CREATED: "created",
    task_types_pb2.RUNNING: "running",
    task_types_pb2.PAUSED: "paused",
    task_types_pb2.STOPPED: "stopped",
}


class _OfATask(Protocol):
    @property
    def container_id(self) -> str: ...


class Tasks(tasks_pb2_grpc.TasksServicer):
    def __init__(self, store: Store, faults: Faults) -> None:
        self._store = store
        self._faults = faults
        self.deaf_to: frozenset[int] = frozenset()
        """Signals that tasks made from now on ignore."""

    async def Create(
        self, request: tasks_pb2.CreateTaskRequest, context: Context
    ) -> tasks_pb2.CreateTaskResponse:
        space, name = self._store.there(context), request.container_id
        container = creation.container(space, name)
        if name in space.tasks or name in space.half_made:
            raise exists(f"task {name}: already exists")
        bundle = creation.make_bundle(self._store, space, container)
        if breaking := self._faults.halved("Tasks.Create", name):
            if breaking == "middle":
                space.half_made.add(name)
            raise lost()
        try:
            args = creation.checked(container, request)
        except Exception:
            self._store.remove_bundle(space.name, name)
            raise
        pid = self._store.new_pid()
        (bundle / "init.pid").write_text(str(pid))
        process = task_types_pb2.Process(
            id=name,
            pid=pid,
            status=task_types_pb2.CREATED,
            stdin=request.stdin,
            stdout=request.stdout,
            stderr=request.stderr,
            terminal=request.terminal,
            exited_at=never(),
        )
        space.tasks[name] = Task(process, args, deaf_to=self.deaf_to)
        self._store.tell(f"+task {name}")
        self._store.bus.announce(space.name, "/tasks/create")
        return tasks_pb2.CreateTaskResponse(container_id=name, pid=pid)

    async def Start(
        self, request: tasks_pb2.StartRequest, context: Context
    ) -> tasks_pb2.StartResponse:
        space = self._store.there(context)
        task = self._task(space, request.container_id)
        if request.exec_id:
            return execs.start(self._store, task, request.exec_id)
        if task.process.status != task_types_pb2.CREATED:
            raise unknown(f"cannot start a {_DOING[task.process.status]} process: unknown")
        task.process.status = task_types_pb2.RUNNING
        self._store.tell(f">task {task.process.id}")
        event = task_events_pb2.TaskStart(container_id=task.process.id)
        self._store.bus.announce(space.name, "/tasks/start", event)
        if (done := outcome(task.args)) is not None:
            creation.write_output(task.process, done.output)
            self.end(space, task, done.status)
        return tasks_pb2.StartResponse(pid=task.process.pid)

    async def Delete(
        self, request: tasks_pb2.DeleteTaskRequest, context: Context
    ) -> tasks_pb2.DeleteResponse:
        space, name = self._store.there(context), request.container_id
        creation.container(space, name)
        if name in space.half_made:
            space.half_made.discard(name)
            self._store.remove_bundle(space.name, name)
            self._store.tell(f"-bundle {name}")
            raise not_found("failed to delete task: container not created: not found")
        if name not in space.tasks:
            self._store.tell(f"?task {name}")
        task = self._task(space, name)
        if task.process.status in (task_types_pb2.RUNNING, task_types_pb2.PAUSED):
            doing = _DOING[task.process.status]
            raise unknown(f"failed to delete task: cannot delete a {doing} process: unknown")
        if task.alive:  # never started: its end is told, and is no exit
            self._announce_exit(space, task.process.id, task.process.pid, 128 + KILL, None)
        self._drop(space, task)
        return tasks_pb2.DeleteResponse(
            pid=task.process.pid,
            exit_status=task.process.exit_status,
            exited_at=task.process.exited_at,
        )

    async def Get(self, request: tasks_pb2.GetRequest, context: Context) -> tasks_pb2.GetResponse:
        task = self._task(self._store.there(context), request.container_id)
        if request.exec_id:
            return tasks_pb2.GetResponse(process=execs.find(task, request.exec_id).process)
        return tasks_pb2.GetResponse(process=task.process)

    async def List(
        self, request: tasks_pb2.ListTasksRequest, context: Context
    ) -> tasks_pb2.ListTasksResponse:
        found = self._store.there(context).tasks
        processes = [task.process for _, task in sorted(found.items())]
        return tasks_pb2.ListTasksResponse(tasks=processes)

    async def Kill(self, request: tasks_pb2.KillRequest, context: Context) -> empty_pb2.Empty:
        space = self._store.there(context)
        task = self._task(space, request.container_id)
        if request.exec_id:
            return execs.kill(self._store, task, request.exec_id, request.signal)
        if not task.alive:
            raise not_found("process already finished: not found")
        if request.signal > _LAST_SIGNAL:
            why = "unable to signal init: invalid argument"
            raise unknown(f"unknown error after kill: {why}\n: unknown")
        self.signal(space, task, request.signal)
        return empty_pb2.Empty()

    async def Pause(self, request: tasks_pb2.PauseTaskRequest, context: Context) -> empty_pb2.Empty:
        space = self._store.there(context)
        task = self._task(space, request.container_id)
        if task.process.status == task_types_pb2.CREATED:
            raise unknown("cannot pause task in created state: unknown")
        if task.process.status != task_types_pb2.RUNNING:
            raise unknown(f"cannot pause a {_DOING[task.process.status]} container: unknown")
        task.process.status = task_types_pb2.PAUSED
        event = task_events_pb2.TaskPaused(container_id=task.process.id)
        self._store.bus.announce(space.name, "/tasks/paused", event)
        return empty_pb2.Empty()

    async def Update(
        self, request: tasks_pb2.UpdateTaskRequest, context: Context
    ) -> empty_pb2.Empty:
        task = self._task(self._store.there(context), request.container_id)
        if task.process.status == task_types_pb2.STOPPED:
            raise unknown("cannot update a stopped container: unknown")
        self._store.tell(f"~task {task.process.id} {request.resources.value.decode()}")
        return empty_pb2.Empty()

    async def Resume(
        self, request: tasks_pb2.ResumeTaskRequest, context: Context
    ) -> empty_pb2.Empty:
        space = self._store.there(context)
        task = self._task(space, request.container_id)
        if task.process.status != task_types_pb2.PAUSED:
            doing = _DOING[task.process.status]
            what = "container" if doing == "stopped" else "process"
            raise unknown(f"cannot resume a {doing} {what}: unknown")
        task.process.status = task_types_pb2.RUNNING
        event = task_events_pb2.TaskResumed(container_id=task.process.id)
        self._store.bus.announce(space.name, "/tasks/resumed", event)
        execs.thaw(self._store, task)
        while task.pending and task.alive:
            self.signal(space, task, task.pending.pop(0))
        return empty_pb2.Empty()

    async def Wait(
        self, request: tasks_pb2.WaitRequest, context: Context
    ) -> tasks_pb2.WaitResponse:
        task = self._task(self._store.there(context), request.container_id)
        if request.exec_id:
            return await execs.wait(task, request.exec_id)
        task.waiters += 1
        try:
            await task.ended.wait()
        finally:
            task.waiters -= 1
        if task.cut:
            raise unknown("ttrpc: closed: unknown")
        process = task.process
        return tasks_pb2.WaitResponse(exit_status=process.exit_status, exited_at=process.exited_at)

    async def Exec(
        self, request: tasks_pb2.ExecProcessRequest, context: Context
    ) -> empty_pb2.Empty:
        return execs.prepare(self._of(request, context), request)

    async def DeleteProcess(
        self, request: tasks_pb2.DeleteProcessRequest, context: Context
    ) -> tasks_pb2.DeleteResponse:
        return execs.delete(self._store, self._of(request, context), request.exec_id)

    async def ResizePty(
        self, request: tasks_pb2.ResizePtyRequest, context: Context
    ) -> empty_pb2.Empty:
        return execs.resize(self._of(request, context), request)

    async def CloseIO(self, request: tasks_pb2.CloseIORequest, context: Context) -> empty_pb2.Empty:
        return execs.close_stdin(self._store, self._of(request, context), request.exec_id)

    def signal(self, space: Namespace, task: Task, signal: int | Signals) -> None:
        """Let a signal do what it does to the process."""
        status = task.process.status
        if signal in _HARMLESS or (signal in task.deaf_to and signal != KILL):
            return
        if signal != KILL and status == task_types_pb2.PAUSED:
            task.pending.append(signal)
        elif signal != KILL and status == task_types_pb2.CREATED:
            self.end(space, task, _RUNC_INIT_STATUS)
        else:
            self.end(space, task, 128 + signal)

    def end(self, space: Namespace, task: Task, status: int, at: datetime | None = None) -> None:
        """Let the process exit; the task stays until it is deleted."""
        process, at = task.process, at or self._store.now()
        process.status = task_types_pb2.STOPPED
        process.exit_status = status
        process.exited_at.FromDatetime(at)
        execs.end_all(self._store, task)
        task.ended.set()
        self._store.tell(f".task {process.id}")
        self._announce_exit(space, process.id, process.pid, status, at)

    def lose_shim(self, space: Namespace, task: Task) -> None:
        """End the shim: containerd sweeps up behind it, and says things that are not so."""
        self._announce_exit(space, task.process.id, task.process.pid, 128 + KILL, self._store.now())
        self._drop(space, task)

    def _drop(self, space: Namespace, task: Task) -> None:
        if not task.ended.is_set() or task.alive:
            task.cut = True
        execs.cut_all(task)
        del space.tasks[task.process.id]
        self._store.remove_bundle(space.name, task.process.id)
        task.ended.set()
        self._store.tell(f"-task {task.process.id}")
        self._store.bus.announce(space.name, "/tasks/delete")

    def _announce_exit(
        self, space: Namespace, run: str, pid: int, status: int, at: datetime | None
    ) -> None:
        event = task_events_pb2.TaskExit(
            container_id=run, id=run, pid=pid, exit_status=status, exited_at=never()
        )
        if at is not None:
            event.exited_at.FromDatetime(at)
        self._store.bus.announce(space.name, "/tasks/exit", event)

    def _of(self, request: _OfATask, context: Context) -> Task:
        return self._task(self._store.there(context), request.container_id)

    def _task(self, space: Namespace, name: str) -> Task:
        creation.container(space, name)
        if name in space.half_made:
            raise not_found("container not created: not found")
        if (found := space.tasks.get(name)) is None:
            raise not_found(f"task {name} not found")
        return found
