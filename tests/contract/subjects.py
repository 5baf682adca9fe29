"""What the cases are run against: the fake, or a containerd of the tests' own.

Both speak through the same generated stubs. A subject also does, each in its own way, what
only happens to a containerd: it goes down, is killed in mid-create, loses a shim.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

import grpc
import grpc.aio
from google.protobuf import any_pb2
from google.protobuf.message import Message

from moored.containerd_api import (
    containers_pb2,
    containers_pb2_grpc,
    content_pb2,
    content_pb2_grpc,
    diff_pb2_grpc,
    events_pb2_grpc,
    images_pb2,
    images_pb2_grpc,
    introspection_pb2_grpc,
    leases_pb2,
    leases_pb2_grpc,
    namespaces_pb2_grpc,
    snapshots_pb2,
    snapshots_pb2_grpc,
    tasks_pb2,
    tasks_pb2_grpc,
    version_pb2_grpc,
)
from tests.outside import kernel, processes
from tests.real.deadlines import eventually

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, Sequence

    from moored.containerd_api import task_types_pb2, types_pb2
    from tests.fakes.containerd import FakeContainerd
    from tests.real.containerd import Containerd

Request = TypeVar("Request", bound=Message)
Reply = TypeVar("Reply", bound=Message)
_Entry: TypeAlias = tuple[str, str]

ROOT_LABEL: Final = {"containerd.io/gc.root": "2020-01-01T00:00:00Z"}
BASE: Final = "contract-base"
SLEEP: Final = ("/bin/sleep", "100000")
SNAPSHOTTER: Final = "overlayfs"
CALL_WITHIN: Final = 20.0
_PROCESS_TYPE: Final = "types.containerd.io/opencontainers/runtime-spec/1/Process"
_SPEC_TYPE: Final = "types.containerd.io/opencontainers/runtime-spec/1/Spec"
_BUNDLES: Final = "io.containerd.runtime.v2.task"
_LINKS: Final = ("sh", "sleep", "true", "false", "echo", "cat")
_CHANNEL_OPTIONS: Final = (
    ("grpc.initial_reconnect_backoff_ms", 20),
    ("grpc.min_reconnect_backoff_ms", 20),
    ("grpc.max_reconnect_backoff_ms", 100),
    ("grpc.use_local_subchannel_pool", 1),
)


@dataclass(frozen=True)
class Refusal:
    code: grpc.StatusCode
    details: str


async def refused(call: Awaitable[object]) -> Refusal:
    """Return how ``call`` was refused. That it succeeds is a failure of the test."""
    try:
        answer = await call
    except grpc.aio.AioRpcError as error:
        return Refusal(error.code(), error.details() or "")
    raise AssertionError(f"was not refused: {answer}")


class Subject(ABC):
    """One containerd, seen by its wire."""

    program: Path = Path("/bin/busybox")
    series: tuple[int, int] = (1, 6)
    """Which containerd it is, or is like. Cases name what differs by it."""

    def __init__(self, address: str, root: Path, state: Path, namespace: str, files: Path) -> None:
        self.address: Final = address
        self.root: Final = root
        self.state: Final = state
        self.namespace: Final = namespace
        self.files: Final = files
        """A directory for the test's own files."""
        self.channel: Final = grpc.aio.insecure_channel(f"unix:{address}", options=_CHANNEL_OPTIONS)
        self.containers: Final = containers_pb2_grpc.ContainersStub(self.channel)
        self.tasks: Final = tasks_pb2_grpc.TasksStub(self.channel)
        self.layers: Final = snapshots_pb2_grpc.SnapshotsStub(self.channel)
        self.images: Final = images_pb2_grpc.ImagesStub(self.channel)
        self.content: Final = content_pb2_grpc.ContentStub(self.channel)
        self.diff: Final = diff_pb2_grpc.DiffStub(self.channel)
        self.leases: Final = leases_pb2_grpc.LeasesStub(self.channel)
        self.events: Final = events_pb2_grpc.EventsStub(self.channel)
        self.namespaces: Final = namespaces_pb2_grpc.NamespacesStub(self.channel)
        self.introspection: Final = introspection_pb2_grpc.IntrospectionStub(self.channel)
        self.version: Final = version_pb2_grpc.VersionStub(self.channel)

    async def call(
        self,
        rpc: grpc.aio.UnaryUnaryMultiCallable[Request, Reply],
        request: Request,
        *,
        lease: str = "",
        namespace: str | None = None,
        within: float = CALL_WITHIN,
    ) -> Reply:
        metadata = self.metadata(lease, namespace)
        return await rpc(request, metadata=metadata, timeout=within, wait_for_ready=True)

    async def stream(
        self, rpc: grpc.aio.UnaryStreamMultiCallable[Request, Reply], request: Request
    ) -> list[Reply]:
        """Return all that a stream holds."""
        call = rpc(request, metadata=self.metadata(), timeout=CALL_WITHIN, wait_for_ready=True)
        return [reply async for reply in call]

    def metadata(self, lease: str = "", namespace: str | None = None) -> tuple[_Entry, ...]:
        """Return what says where a call belongs; an empty ``namespace`` says nothing."""
        name = self.namespace if namespace is None else namespace
        entries = (("containerd-namespace", name), ("containerd-lease", lease))
        return tuple(entry for entry in entries if entry[1])

    async def prepare(
        self, key: str, *, parent: str = BASE, labels: Mapping[str, str] = ROOT_LABEL
    ) -> list[types_pb2.Mount]:
        request = snapshots_pb2.PrepareSnapshotRequest(
            snapshotter=SNAPSHOTTER, key=key, parent=parent, labels=labels
        )
        return list((await self.call(self.layers.Prepare, request)).mounts)

    async def lay_base(self) -> None:
        """Make the one layer that containers stand on: busybox and its names."""
        stat = snapshots_pb2.StatSnapshotRequest(snapshotter=SNAPSHOTTER, key=BASE)
        with contextlib.suppress(grpc.aio.AioRpcError):
            await self.call(self.layers.Stat, stat)
            return
        mounts = await self.prepare(f"{BASE}-filling", parent="")
        _fill(Path(mounts[0].source), self.program)  # a layer without a parent is a directory
        request = snapshots_pb2.CommitSnapshotRequest(
            snapshotter=SNAPSHOTTER, name=BASE, key=f"{BASE}-filling", labels=ROOT_LABEL
        )
        await self.call(self.layers.Commit, request)

    async def record(
        self, name: str, args: Sequence[str] = SLEEP, *, layer: str = ""
    ) -> containers_pb2.Container:
        request = containers_pb2.CreateContainerRequest(
            container=self.wanted(name, args, layer=layer)
        )
        return (await self.call(self.containers.Create, request)).container

    def wanted(
        self, name: str, args: Sequence[str] = SLEEP, *, layer: str = ""
    ) -> containers_pb2.Container:
        spec = any_pb2.Any(type_url=_SPEC_TYPE, value=_spec(f"/{self.namespace}/{name}", args))
        runtime = containers_pb2.Container.Runtime(name="io.containerd.runc.v2")
        return containers_pb2.Container(
            id=name,
            image="docker.io/library/contract:latest",
            runtime=runtime,
            spec=spec,
            snapshotter=SNAPSHOTTER,
            snapshot_key=layer or name,
            labels={"contract/name": name},
        )

    def creation(self, name: str, mounts: Sequence[types_pb2.Mount]) -> tasks_pb2.CreateTaskRequest:
        """Return how a task is asked for, with output files that exist."""
        paths = [self.files / f"{name}.{stream}" for stream in ("out", "err")]
        for path in paths:
            path.touch()
        return tasks_pb2.CreateTaskRequest(
            container_id=name, rootfs=mounts, stdout=str(paths[0]), stderr=str(paths[1])
        )

    async def task(self, name: str, args: Sequence[str] = SLEEP) -> int:
        """Make a layer, a record and a task that was not started, and return its pid."""
        mounts = await self.prepare(name)
        await self.record(name, args)
        return (await self.call(self.tasks.Create, self.creation(name, mounts))).pid

    async def running(self, name: str, args: Sequence[str] = SLEEP) -> int:
        pid = await self.task(name, args)
        await self.start(name)
        return pid

    async def start(self, name: str) -> int:
        request = tasks_pb2.StartRequest(container_id=name)
        return (await self.call(self.tasks.Start, request)).pid

    async def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        request = tasks_pb2.KillRequest(container_id=name, signal=number)
        await self.call(self.tasks.Kill, request)

    async def wait(self, name: str) -> tasks_pb2.WaitResponse:
        return await self.call(self.tasks.Wait, tasks_pb2.WaitRequest(container_id=name))

    async def get(self, name: str) -> task_types_pb2.Process:
        return (await self.call(self.tasks.Get, tasks_pb2.GetRequest(container_id=name))).process

    async def delete(self, name: str) -> tasks_pb2.DeleteResponse:
        return await self.call(self.tasks.Delete, tasks_pb2.DeleteTaskRequest(container_id=name))

    async def prepare_exec(
        self, name: str, exec_id: str, *args: str, fifos: bool = False, terminal: bool = False
    ) -> None:
        """Prepare an exec, with ``fifos`` on three that are called after it, stderr last."""
        stdin, stdout, stderr = ("", "", "")
        if fifos:
            stdin, stdout, stderr = (str(self.fifo(exec_id, n)) for n in ("in", "out", "err"))
        request = tasks_pb2.ExecProcessRequest(
            container_id=name,
            exec_id=exec_id,
            stdin=stdin,
            stdout=stdout,
            stderr="" if terminal else stderr,
            terminal=terminal,
            spec=any_pb2.Any(type_url=_PROCESS_TYPE, value=_exec_process(args, terminal=terminal)),
        )
        await self.call(self.tasks.Exec, request)

    def fifo(self, exec_id: str, stream: str) -> Path:
        path = self.files / f"{exec_id}.{stream}"
        if not path.exists():
            os.mkfifo(path)
        return path

    async def start_exec(self, name: str, exec_id: str) -> int:
        request = tasks_pb2.StartRequest(container_id=name, exec_id=exec_id)
        return (await self.call(self.tasks.Start, request)).pid

    async def wait_exec(self, name: str, exec_id: str) -> tasks_pb2.WaitResponse:
        request = tasks_pb2.WaitRequest(container_id=name, exec_id=exec_id)
        return await self.call(self.tasks.Wait, request)

    async def kill_exec(self, name: str, exec_id: str, number: int = signal.SIGKILL) -> None:
        request = tasks_pb2.KillRequest(container_id=name, exec_id=exec_id, signal=number)
        await self.call(self.tasks.Kill, request)

    async def delete_exec(self, name: str, exec_id: str) -> tasks_pb2.DeleteResponse:
        request = tasks_pb2.DeleteProcessRequest(container_id=name, exec_id=exec_id)
        return await self.call(self.tasks.DeleteProcess, request)

    async def close_stdin(self, name: str, exec_id: str) -> None:
        request = tasks_pb2.CloseIORequest(container_id=name, exec_id=exec_id, stdin=True)
        await self.call(self.tasks.CloseIO, request)

    async def resize(self, name: str, exec_id: str, width: int, height: int) -> None:
        request = tasks_pb2.ResizePtyRequest(
            container_id=name, exec_id=exec_id, width=width, height=height
        )
        await self.call(self.tasks.ResizePty, request)

    async def remove_record(self, name: str) -> None:
        await self.call(self.containers.Delete, containers_pb2.DeleteContainerRequest(id=name))

    async def remove_layer(self, key: str) -> None:
        request = snapshots_pb2.RemoveSnapshotRequest(snapshotter=SNAPSHOTTER, key=key)
        await self.call(self.layers.Remove, request)

    def bundle(self, name: str) -> Path:
        return self.state / _BUNDLES / self.namespace / name

    @abstractmethod
    async def until_waiting(self, name: str) -> None:
        """Return once a Wait that was called has arrived."""

    @abstractmethod
    async def go_down(self) -> None:
        """Stop containerd: processes and shims go on."""

    @abstractmethod
    async def come_back(self) -> None: ...

    @abstractmethod
    async def kill_process(self, name: str, pid: int) -> None:
        """Kill a process behind containerd's back, and return once it is dead."""

    @abstractmethod
    async def kill_shim(self, name: str, pid: int) -> None:
        """Kill the shim whose process is ``pid``."""

    @abstractmethod
    async def break_mid_create(self, request: tasks_pb2.CreateTaskRequest) -> None:
        """Kill containerd while it creates a task, and let it come back."""

    @abstractmethod
    async def tidy(self) -> None:
        """Remove what a test left, whether it passed or not."""


class Fake(Subject):
    program = Path("/bin/true")  # anything that can be executed, and is small

    def __init__(self, fake: FakeContainerd, namespace: str, files: Path) -> None:
        super().__init__(fake.address, fake.root, fake.state, namespace, files)
        self.fake: Final = fake

    async def until_waiting(self, name: str) -> None:
        await eventually(lambda: self.fake.waiters(name) > 0, "a wait has arrived")

    async def go_down(self) -> None:
        await self.fake.stop()

    async def come_back(self) -> None:
        await self.fake.restart()

    async def kill_process(self, name: str, pid: int) -> None:
        assert self.fake.pid(name) == pid
        self.fake.signal(name, signal.SIGKILL)

    async def kill_shim(self, name: str, pid: int) -> None:
        assert self.fake.pid(name) == pid
        self.fake.kill_shim(name)

    async def break_mid_create(self, request: tasks_pb2.CreateTaskRequest) -> None:
        self.fake.lose("middle", "Tasks.Create")
        refusal = await refused(self.call(self.tasks.Create, request))
        assert refusal.code is grpc.StatusCode.UNAVAILABLE
        await self.go_down()
        await self.come_back()

    async def tidy(self) -> None:
        await self.channel.close()


class Real(Subject):
    def __init__(self, containerd: Containerd, namespace: str, files: Path) -> None:
        seen = containerd.address
        super().__init__(seen.socket, seen.root, seen.state, namespace, files)
        self.containerd: Final = containerd
        self.series = containerd.series
        self._stale: Final[list[Path]] = []
        """Sockets of shims that were killed: nobody else removes them."""

    async def until_waiting(self, name: str) -> None:
        await asyncio.sleep(0)  # it is sent
        await self.get(name)  # it is there: one connection, one order

    async def go_down(self) -> None:
        await asyncio.to_thread(self.containerd.stop)

    async def come_back(self) -> None:
        await asyncio.to_thread(self.containerd.start)

    async def kill_process(self, name: str, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        await eventually(lambda: not processes.is_alive(pid), f"{name} is dead")

    async def kill_shim(self, name: str, pid: int) -> None:
        socket = self._shim_address(name).removeprefix("unix://")
        os.kill(processes.shim_of(self.address, name), signal.SIGKILL)
        self._stale.append(Path(socket))

    def _shim_address(self, name: str) -> str:
        """Return where the shim listens: containerd 2.0 and later keep it among other things."""
        told = self.bundle(name) / "bootstrap.json"
        if told.exists():
            return str(json.loads(told.read_text())["address"])
        return (self.bundle(name) / "address").read_text()

    async def break_mid_create(self, request: tasks_pb2.CreateTaskRequest) -> None:
        """A FIFO that nobody reads holds the shim when the runtime has made the container."""
        fifo = self.files / f"{request.container_id}.fifo"
        os.mkfifo(fifo)
        held = tasks_pb2.CreateTaskRequest()
        held.CopyFrom(request)
        held.stdout = held.stderr = str(fifo)
        create = asyncio.create_task(refused(self.call(self.tasks.Create, held, within=60.0)))
        made = self.bundle(request.container_id) / "init.pid"
        await eventually(made.exists, "the runtime has made the container")
        await asyncio.to_thread(self.containerd.kill)
        assert (await create).code is grpc.StatusCode.UNAVAILABLE
        await self.come_back()

    async def tidy(self) -> None:
        try:
            await self._tidy()
        finally:
            await self.channel.close()

    async def _tidy(self) -> None:
        if not self.containerd.is_running():
            await self.come_back()
        records = await self.call(self.containers.List, containers_pb2.ListContainersRequest())
        for record in records.containers:
            await self._tidy_task(record.id)
            await self.remove_record(record.id)
        stream = await self.stream(
            self.layers.List, snapshots_pb2.ListSnapshotsRequest(snapshotter=SNAPSHOTTER)
        )
        layers = [info for reply in stream for info in reply.info if info.name != BASE]
        for info in sorted(layers, key=lambda info: info.parent in ("", BASE)):
            await self.remove_layer(info.name)
        for image in (await self.call(self.images.List, images_pb2.ListImagesRequest())).images:
            await self.call(self.images.Delete, images_pb2.DeleteImageRequest(name=image.name))
        stored = await self.stream(self.content.List, content_pb2.ListContentRequest())
        for digest in (info.digest for reply in stored for info in reply.info):
            request = content_pb2.DeleteContentRequest(digest=digest)
            await self.call(self.content.Delete, request)
        for lease in (await self.call(self.leases.List, leases_pb2.ListRequest())).leases:
            release = leases_pb2.DeleteRequest(id=lease.id, sync=True)
            await self.call(self.leases.Delete, release)
        for socket in self._stale:
            socket.unlink(missing_ok=True)
        remove_cgroups(self.namespace)

    async def _tidy_task(self, name: str) -> None:
        with contextlib.suppress(grpc.aio.AioRpcError):
            await self.kill(name)
            await self.wait(name)
        with contextlib.suppress(grpc.aio.AioRpcError):
            await self.delete(name)


def remove_cgroups(parent: str) -> None:
    """Remove the cgroups below ``/parent`` in every hierarchy."""
    for hierarchy in kernel.hierarchies():
        for place, _, _ in os.walk(hierarchy / parent, topdown=False):
            Path(place).rmdir()


def _fill(place: Path, program: Path) -> None:
    for name in ("bin", "dev", "etc", "proc", "sys", "tmp"):
        (place / name).mkdir()
    shutil.copy(program, place / "bin" / "busybox")
    for name in _LINKS:
        (place / "bin" / name).symlink_to("busybox")


def _spec(cgroup: str, args: Sequence[str]) -> bytes:
    """Return the least that runc runs, in namespaces of its own."""
    can = ["CAP_KILL"]
    spec = {
        "ociVersion": "1.0.2",
        "process": {
            "args": list(args),
            "cwd": "/",
            "env": ["PATH=/bin"],
            "user": {"uid": 0, "gid": 0},
            "capabilities": {"bounding": can, "effective": can, "permitted": can},
        },
        "root": {"path": "rootfs"},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"},
            {
                "destination": "/dev/pts",
                "type": "devpts",
                "source": "devpts",
                "options": ["newinstance", "ptmxmode=0666"],
            },
        ],
        "linux": {
            "cgroupsPath": cgroup,
            "namespaces": [{"type": t} for t in ("pid", "ipc", "uts", "mount", "network")],
        },
    }
    return json.dumps(spec).encode()


def _exec_process(args: Sequence[str], *, terminal: bool) -> bytes:
    process = json.loads(_spec("/none", args))["process"]
    return json.dumps({**process, "terminal": terminal}).encode()
