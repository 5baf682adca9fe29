"""Layers: directories in a stack. Mounts are named, and never mounted."""

# ruff: noqa: N802  # methods are called as the protocol calls them

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

from google.protobuf import empty_pb2

from moored.containerd_api import snapshots_pb2, snapshots_pb2_grpc, types_pb2
from tests.fakes.filters import matching
from tests.fakes.refusals import exists, invalid, metadata_of, not_found, unknown, unmet
from tests.fakes.store import Layer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.fakes.refusals import Context
    from tests.fakes.store import Lease, Namespace, Store

_ONLY: Final = "overlayfs"


class Snapshots(snapshots_pb2_grpc.SnapshotsServicer):
    def __init__(self, store: Store) -> None:
        self._store = store

    async def Prepare(
        self, request: snapshots_pb2.PrepareSnapshotRequest, context: Context
    ) -> snapshots_pb2.PrepareSnapshotResponse:
        space, key = self._space(request.snapshotter, context), request.key
        if not key:
            raise unknown("bucket name required")
        lease = lease_of(space, context)
        if key in space.layers:
            raise exists(f'snapshot "{key}": already exists')
        parent = space.layers.get(request.parent)
        if request.parent and parent is None:
            raise not_found(f"parent snapshot {request.parent} does not exist: not found")
        if parent is not None and parent.info.kind != snapshots_pb2.COMMITTED:
            name = f'"{space.name}/1/{request.parent}"'
            raise invalid(f"failed to create snapshot: parent {name} is not committed snapshot")
        made = snapshots_pb2.Info(
            name=key,
            parent=request.parent,
            kind=snapshots_pb2.ACTIVE,
            created_at=self._store.stamp(),
            updated_at=self._store.stamp(),
            labels=request.labels,
        )
        self._store.settled(space).layers[key] = Layer(made, self._store.new_layer())
        if lease is not None:
            lease.layers.add(key)
        self._store.tell(f"+snapshot {key}")
        self._store.bus.announce(space.name, "/snapshot/prepare")
        return snapshots_pb2.PrepareSnapshotResponse(mounts=_mounts(space, key))

    async def Mounts(
        self, request: snapshots_pb2.MountsRequest, context: Context
    ) -> snapshots_pb2.MountsResponse:
        space = self._space(request.snapshotter, context)
        if _layer(space, request.key).info.kind != snapshots_pb2.ACTIVE:
            name = f"{space.name}/1/{request.key}"
            raise unmet(f"failed to get active mount: requested snapshot {name} not active or view")
        return snapshots_pb2.MountsResponse(mounts=_mounts(space, request.key))

    async def Commit(
        self, request: snapshots_pb2.CommitSnapshotRequest, context: Context
    ) -> empty_pb2.Empty:
        space = self._space(request.snapshotter, context)
        lease = lease_of(space, context)
        if request.name in space.layers:
            raise exists(f'snapshot "{request.name}": already exists')
        layer = _layer(space, request.key)
        if layer.info.kind != snapshots_pb2.ACTIVE:
            raise unmet(f"failed to commit snapshot {request.key}: not active")
        del space.layers[request.key]
        layer.info.name = request.name
        layer.info.kind = snapshots_pb2.COMMITTED
        layer.info.labels.clear()
        layer.info.labels.update(request.labels)
        layer.info.updated_at.CopyFrom(self._store.stamp())
        space.layers[request.name] = layer
        if lease is not None:
            lease.layers.add(request.name)
        self._store.tell(f"=snapshot {request.name}")
        self._store.bus.announce(space.name, "/snapshot/commit")
        return empty_pb2.Empty()

    async def Remove(
        self, request: snapshots_pb2.RemoveSnapshotRequest, context: Context
    ) -> empty_pb2.Empty:
        space, key = self._space(request.snapshotter, context), request.key
        if key not in space.layers:
            self._store.tell(f"?snapshot {key}")
        layer = _layer(space, key)
        if any(other.info.parent == key for other in space.layers.values()):
            raise unmet("cannot remove snapshot with child")
        del space.layers[key]
        shutil.rmtree(layer.place)
        self._store.tell(f"-snapshot {key}")
        self._store.bus.announce(space.name, "/snapshot/remove")
        return empty_pb2.Empty()

    async def Stat(
        self, request: snapshots_pb2.StatSnapshotRequest, context: Context
    ) -> snapshots_pb2.StatSnapshotResponse:
        space = self._space(request.snapshotter, context)
        return snapshots_pb2.StatSnapshotResponse(info=_layer(space, request.key).info)

    async def Usage(
        self, request: snapshots_pb2.UsageRequest, context: Context
    ) -> snapshots_pb2.UsageResponse:
        place = _layer(self._space(request.snapshotter, context), request.key).place / "fs"
        found = [place, *place.rglob("*")]
        blocks = sum(path.lstat().st_blocks for path in found)
        return snapshots_pb2.UsageResponse(size=blocks * 512, inodes=len(found))

    async def List(
        self, request: snapshots_pb2.ListSnapshotsRequest, context: Context
    ) -> AsyncIterator[snapshots_pb2.ListSnapshotsResponse]:
        space = self._space(request.snapshotter, context)
        found = [
            layer.info
            for _, layer in sorted(space.layers.items())
            if matching(request.filters, _fields(layer.info), layer.info.labels)
        ]
        if found:
            yield snapshots_pb2.ListSnapshotsResponse(info=found)

    def _space(self, snapshotter: str, context: Context) -> Namespace:
        if not snapshotter:
            raise invalid("snapshotter argument missing")
        if snapshotter != _ONLY:
            raise invalid(f"snapshotter not loaded: {snapshotter}")
        return self._store.there(context)


def lease_of(space: Namespace, context: Context) -> Lease | None:
    """Return the lease that a call asks for, or refuse one that is not there."""
    name = metadata_of(context, "containerd-lease")
    if name and name not in space.leases:
        raise not_found("lease does not exist: not found")
    return space.leases.get(name)


def stack(space: Namespace, key: str) -> Iterator[Layer]:
    """Yield a layer and those below it."""
    while key:
        layer = space.layers[key]
        yield layer
        key = layer.info.parent


def _layer(space: Namespace, key: str) -> Layer:
    if (found := space.layers.get(key)) is None:
        raise not_found(f"snapshot {key} does not exist: not found")
    return found


def _mounts(space: Namespace, key: str) -> list[types_pb2.Mount]:
    top, *below = [layer.place for layer in stack(space, key)]
    if not below:
        return [types_pb2.Mount(type="bind", source=str(top / "fs"), options=["rw", "rbind"])]
    options = [
        "index=off",
        f"workdir={top / 'work'}",
        f"upperdir={top / 'fs'}",
        "lowerdir=" + ":".join(str(place / "fs") for place in below),
    ]
    return [types_pb2.Mount(type="overlay", source="overlay", options=options)]


def _fields(info: snapshots_pb2.Info) -> dict[str, str]:
    kind = snapshots_pb2.Kind.Name(info.kind).lower()
    return {"name": info.name, "parent": info.parent, "kind": kind}
