"""containerd's container records: one for each run, named like it.

Law: the record goes after the task. containerd deletes it under a live task, and nobody finds
the process any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from google.protobuf.any_pb2 import Any
from google.protobuf.field_mask_pb2 import FieldMask

from moored.containerd.connection import Absent
from moored.containerd.doubts import Doubts
from moored.containerd.values import ContainerRecord, Runtime
from moored.containerd_api import containers_pb2, containers_pb2_grpc, runc_options_pb2

if TYPE_CHECKING:
    from moored.containerd.connection import Connection

_SPEC_TYPE: Final = "types.containerd.io/opencontainers/runtime-spec/1/Spec"
_OPTIONS_TYPE: Final = "containerd.runc.v1.Options"
_MARK: Final = "moorage/record"


class Containers:
    def __init__(self, connection: Connection, *, snapshotter: str = "overlayfs") -> None:
        self._connection = connection
        self._snapshotter = snapshotter
        self.doubts: Final = Doubts(connection.call_limit)
        self._rpc = containers_pb2_grpc.ContainersStub(connection.channel)

    async def create(self, record: ContainerRecord) -> None:
        container = containers_pb2.Container(
            id=record.run,
            labels=record.labels,
            image=record.image,
            runtime=containers_pb2.Container.Runtime(
                name=record.runtime.kind, options=runtime_options(record.runtime)
            ),
            spec=Any(type_url=_SPEC_TYPE, value=record.spec),
            snapshotter=self._snapshotter,
            snapshot_key=record.layer,
            extensions={_MARK: Any(type_url=_MARK, value=record.mark)} if record.mark else {},
        )
        with self.doubts.making(record.run):
            await self._connection.unary(
                self._rpc.Create,
                containers_pb2.CreateContainerRequest(container=container),
                f"create containerd container {record.run!r}",
                run=record.run,
            )

    async def mark(self, run: str, mark: bytes) -> bool:
        """Let ``mark`` ride with the record from now on, and return whether there is one."""
        container = containers_pb2.Container(
            id=run, extensions={_MARK: Any(type_url=_MARK, value=mark)}
        )
        request = containers_pb2.UpdateContainerRequest(
            container=container, update_mask=FieldMask(paths=[f"extensions.{_MARK}"])
        )
        to = f"mark containerd container {run!r}"
        try:
            await self._connection.unary(self._rpc.Update, request, to, run=run)
        except Absent:
            return False
        return True

    async def delete(self, run: str) -> bool:
        """Delete the record, and return whether there was one."""
        request = containers_pb2.DeleteContainerRequest(id=run)
        to = f"delete containerd container {run!r}"
        try:
            await self._connection.unary(self._rpc.Delete, request, to, run=run)
        except Absent:
            self.doubts.absent(run, to)
            return False
        self.doubts.settle(run)
        return True

    async def get(self, run: str) -> ContainerRecord | None:
        request = containers_pb2.GetContainerRequest(id=run)
        try:
            reply = await self._connection.ask(
                self._rpc.Get, request, f"look at containerd container {run!r}", run=run
            )
        except Absent:
            return None
        return _record(reply.container)

    async def list(self) -> list[ContainerRecord]:
        request = containers_pb2.ListContainersRequest()
        reply = await self._connection.ask(self._rpc.List, request, "list containerd containers")
        return [_record(container) for container in reply.containers]


def runtime_options(runtime: Runtime, owner: tuple[int, int] = (0, 0)) -> Any:
    """Return what the shim is told about ``runtime``; ``owner`` is whose its pipes are to be."""
    uid, gid = owner
    options = runc_options_pb2.Options(binary_name=runtime.binary, io_uid=uid, io_gid=gid)
    return Any(type_url=_OPTIONS_TYPE, value=options.SerializeToString())


def _record(container: containers_pb2.Container) -> ContainerRecord:
    return ContainerRecord(
        run=container.id,
        image=container.image,
        layer=container.snapshot_key,
        spec=container.spec.value,
        runtime=_runtime(container.runtime),
        labels=dict(container.labels),
        mark=container.extensions[_MARK].value if _MARK in container.extensions else b"",
    )


def _runtime(runtime: containers_pb2.Container.Runtime) -> Runtime:
    """Return what the record says. The name that we gave it is not in there: its program is."""
    options = runc_options_pb2.Options()
    if runtime.options.type_url == _OPTIONS_TYPE:
        options.ParseFromString(runtime.options.value)
    binary = options.binary_name or "runc"
    return Runtime(name=binary.rpartition("/")[2], binary=binary, kind=runtime.name)
