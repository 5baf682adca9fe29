"""containerd's snapshots, which are layers here: an image's, and the writable ones on top.

Law: containerd's collector takes a layer that nothing holds, from its first moment. Whoever
prepares one gives it a label, or a lease, that holds it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from moored.containerd.connection import Absent, Present
from moored.containerd.doubts import Doubts
from moored.containerd.values import Layer, LayerKind, Mount, Usage
from moored.containerd_api import snapshots_pb2, snapshots_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from moored.containerd.connection import Connection
    from moored.containerd_api import types_pb2

_KINDS: Final = {
    snapshots_pb2.VIEW: LayerKind.VIEW,
    snapshots_pb2.ACTIVE: LayerKind.ACTIVE,
    snapshots_pb2.COMMITTED: LayerKind.COMMITTED,
}


class Layers:
    def __init__(self, connection: Connection, snapshotter: str = "overlayfs") -> None:
        self._connection = connection
        self._snapshotter = snapshotter
        self.doubts: Final = Doubts(connection.call_limit)
        self._rpc = snapshots_pb2_grpc.SnapshotsStub(connection.channel)

    async def prepare(self, key: str, *, parent: str, labels: Mapping[str, str]) -> list[Mount]:
        """Make a writable layer on top of ``parent``; one that is there already is used."""
        request = snapshots_pb2.PrepareSnapshotRequest(
            snapshotter=self._snapshotter, key=key, parent=parent, labels=labels
        )
        to = f"prepare layer {key!r}"
        try:
            with self.doubts.making(key):
                reply = await self._connection.unary(self._rpc.Prepare, request, to, layer=key)
        except Present:
            mounts = await self.mounts(key)
            if mounts is None:  # a committed one of that name, or it went this very moment
                raise
            return mounts
        except Absent as absent:
            why = f"there is no layer {parent!r} to put it on"
            raise Absent(f"cannot {to}: {why}", layer=key) from absent
        return [_mount(mount) for mount in reply.mounts]

    async def mounts(self, key: str) -> list[Mount] | None:
        """Return how a writable layer is mounted, or None when there is none."""
        request = snapshots_pb2.MountsRequest(snapshotter=self._snapshotter, key=key)
        try:
            reply = await self._connection.ask(
                self._rpc.Mounts, request, f"look at layer {key!r}", layer=key
            )
        except Absent:
            return None
        return [_mount(mount) for mount in reply.mounts]

    async def remove(self, key: str) -> bool:
        """Remove a layer, and return whether there was one."""
        request = snapshots_pb2.RemoveSnapshotRequest(snapshotter=self._snapshotter, key=key)
        to = f"remove layer {key!r}"
        try:
            await self._connection.unary(self._rpc.Remove, request, to, layer=key)
        except Absent:
            self.doubts.absent(key, to)
            return False
        self.doubts.settle(key)
        return True

    async def commit(self, name: str, key: str, labels: Mapping[str, str]) -> None:
        """Turn the writable layer ``key`` into ``name``, which nothing changes any more.

        Present, which says that somebody did so before, is for the caller to take.
        """
        request = snapshots_pb2.CommitSnapshotRequest(
            snapshotter=self._snapshotter, name=name, key=key, labels=labels
        )
        await self._connection.unary(
            self._rpc.Commit, request, f"commit layer {name!r}", layer=name
        )

    async def stat(self, key: str) -> Layer | None:
        request = snapshots_pb2.StatSnapshotRequest(snapshotter=self._snapshotter, key=key)
        try:
            reply = await self._connection.ask(
                self._rpc.Stat, request, f"look at layer {key!r}", layer=key
            )
        except Absent:
            return None
        return _layer(reply.info)

    async def usage(self, key: str) -> Usage | None:
        """Return what a layer takes by itself, without those below it, or None without one.

        containerd counts that of a writable one file by file.
        """
        request = snapshots_pb2.UsageRequest(snapshotter=self._snapshotter, key=key)
        try:
            reply = await self._connection.ask(
                self._rpc.Usage, request, f"measure layer {key!r}", layer=key
            )
        except Absent:
            return None
        return Usage(reply.size, reply.inodes)

    async def list(self, filters: Iterable[str] = ()) -> list[Layer]:
        """Return the layers that any of containerd's ``filters`` lets through; all without."""
        request = snapshots_pb2.ListSnapshotsRequest(snapshotter=self._snapshotter, filters=filters)
        replies = self._connection.stream(self._rpc.List, request, "list layers")
        return [_layer(info) async for reply in replies for info in reply.info]


def _mount(mount: types_pb2.Mount) -> Mount:
    return Mount(mount.type, mount.source, mount.target, tuple(mount.options))


def _layer(info: snapshots_pb2.Info) -> Layer:
    kind = _KINDS.get(info.kind, LayerKind.UNKNOWN)
    return Layer(info.name, info.parent, kind, dict(info.labels))
