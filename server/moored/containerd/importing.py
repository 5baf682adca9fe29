"""Bring packages into containerd: content, unpacked layers, names. All of it, or nothing.

Everything is put under one lease until the names hold it, so that the collector takes nothing
on the way. Dropping the lease is the undo: what nothing else holds goes with it, also when
moored was killed in between, since the lease expires by itself.
"""

from __future__ import annotations

import asyncio
import copy
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from moored import errors
from moored.containerd.connection import Absent, Present
from moored.containerd.content import Content
from moored.containerd.layers import Layers
from moored.containerd.names import repository
from moored.containerd.unpacking import Room
from moored.containerd_api import diff_pb2, diff_pb2_grpc, types_pb2
from moored.uninterrupted import uninterrupted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from moored.containerd.connection import Connection
    from moored.containerd.layouts import Found
    from moored.containerd.leases import Leases
    from moored.containerd.packages import Blob, Layer, Package
    from moored.containerd.records import Record, Records, Target
    from moored.containerd.spool import Spool

LEASE_PREFIX: Final = "moorage-import-"
LONGEST_IMPORT: Final = timedelta(hours=6)
"""After which containerd drops what a killed import has left."""
_REF_LABEL: Final = "containerd.io/gc.ref."
_EXPIRY_LABEL: Final = "containerd.io/gc.expire"
_APPLY_GRACE: Final = 60.0
_SLOWEST: Final = 1 << 20
"""Bytes of a layer's blob a second below which unpacking counts as hung."""
_UNDO_LIMIT: Final = 20.0
_ATTEMPTS: Final = 5


@dataclass(frozen=True)
class ImportedImage:
    """A name, and what it means."""

    name: str
    digest: str
    """Of the manifest or index."""
    size: int
    """Of the manifest, configuration and layers as stored; 0 where that cannot be told."""
    created: datetime


@dataclass
class Import:
    """One import, under its own lease. To be used once."""

    connection: Connection
    leases: Leases
    records: Records
    spool: Spool
    snapshotter: str
    most_unpacked: int
    """Bytes that all layers may take."""
    still_used: Callable[[Record], Awaitable[bool]]
    """Whether containers need what a name means, also once it means something else."""
    lease: str = field(default_factory=lambda: LEASE_PREFIX + uuid.uuid4().hex)
    _replaced: bool = False
    """Whether a name meant something else before, which may be garbage now."""
    _undos: list[Callable[[], Awaitable[object]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        leased = _under(self.lease, self.connection)
        self._content = Content(leased)
        self._layers = Layers(leased, self.snapshotter)
        self._diff = diff_pb2_grpc.DiffStub(leased.channel)
        self._leased = leased
        self._room = Room(self._layers, self.most_unpacked)

    async def run(self, images: list[Found]) -> list[ImportedImage]:
        """Bring in all, each under its names; or none, and leave nothing."""
        try:
            await self._hold()
            for image in images:
                await self._store(image.package)
                await self._unpack(image.package)
            imported = [
                await self._name(name, image.package) for image in images for name in image.names
            ]
        except BaseException as error:
            await uninterrupted(self._undo(error))
            raise
        await uninterrupted(self._let_go())
        return imported

    async def _hold(self) -> None:
        expiry = datetime.now(UTC) + LONGEST_IMPORT
        self._undos.append(partial(self.leases.delete, self.lease, sync=True))
        stamp = expiry.strftime("%Y-%m-%dT%H:%M:%SZ")
        await self.leases.create(self.lease, {_EXPIRY_LABEL: stamp})

    async def _let_go(self) -> None:
        """Drop the lease: the names hold it all now."""
        for _ in range(_ATTEMPTS):
            # Beyond that it is swept, or expires.
            with suppress(errors.RuntimeUnreachable):
                await self.leases.delete(self.lease, sync=self._replaced)
                return

    async def _store(self, package: Package) -> None:
        for blob in package.blobs():
            labels = {_REF_LABEL + role: digest for role, digest in blob.holds.items()}
            if blob is package.config:
                # Without it the collector takes the unpacked layers when the lease ends.
                snapshot = f"{_REF_LABEL}snapshot.{self.snapshotter}"
                labels[snapshot] = package.layers[-1].chain_id
            await self._store_blob(blob, labels)

    async def _store_blob(self, blob: Blob, labels: dict[str, str]) -> None:
        ref = f"{self.lease}-{blob.digest}"
        self._undos.append(partial(self._content.abort, ref))
        await self._content.write(
            blob.digest, blob.size, partial(_read, self.spool, blob), ref=ref, labels=labels
        )
        self._undos.pop()

    async def _unpack(self, package: Package) -> None:
        top = package.layers[-1].chain_id
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                # Held already, if it is there: the configuration is, and names it.
                if await self._layers.stat(top) is not None:
                    return
                await self._unpack_all(package.layers)
            except Absent:
                # A layer that another import had made, and took away when it failed.
                if attempt == _ATTEMPTS:
                    raise
            else:
                return

    async def _unpack_all(self, layers: tuple[Layer, ...]) -> None:
        parent = ""
        for layer in layers:
            if await self._layers.stat(layer.chain_id) is None:
                await self._unpack_one(layer, parent)
            parent = layer.chain_id

    async def _unpack_one(self, layer: Layer, parent: str) -> None:
        key = f"{self.lease}-{uuid.uuid4().hex[:8]}-{layer.chain_id}"
        remove = partial(self._layers.remove, key)
        self._undos.append(remove)
        await self._apply(layer, key, parent)
        try:
            await self._layers.commit(layer.chain_id, key, {})
        except Present:
            await remove()  # another import was faster
        self._undos.pop()

    async def _apply(self, layer: Layer, key: str, parent: str) -> None:
        blob = layer.blob
        mounts = await self._layers.prepare(key, parent=parent, labels={})
        request = diff_pb2.ApplyRequest(
            diff=types_pb2.Descriptor(
                media_type=blob.media_type, digest=blob.digest, size=blob.size
            ),
            mounts=[
                types_pb2.Mount(
                    type=mount.type,
                    source=mount.source,
                    target=mount.target,
                    options=mount.options,
                )
                for mount in mounts
            ],
        )
        applying = self._leased.unary(
            self._diff.Apply,
            request,
            f"unpack {blob.digest}",
            within=_APPLY_GRACE + blob.size / _SLOWEST,
            digest=blob.digest,
        )
        reply = await self._room.hold(key, applying, digest=blob.digest)
        if reply.applied.digest != layer.diff_id:
            raise errors.ArchiveInvalid(
                f"cannot import the archive: the layer {blob.digest} unpacks to"
                f" {reply.applied.digest}, and its image says {layer.diff_id}",
                digest=blob.digest,
            )

    async def _name(self, name: str, package: Package) -> ImportedImage:
        target = package.target
        record = await self.records.get(name)
        if record is None or record.digest != target.digest:
            if record is not None:
                await self._displace(record)
            record = await self._point(name, record, target)
        return ImportedImage(name, record.digest, package.size, record.created)

    async def _displace(self, record: Record) -> None:
        """Keep what a name meant before under its digest, if containers need it."""
        self._replaced = True
        if await self.still_used(record):
            kept = f"{repository(record.name)}@{record.digest}"
            await self._point(kept, await self.records.get(kept), record.target)

    async def _point(self, name: str, before: Record | None, target: Blob | Target) -> Record:
        self._undos.append(partial(self.records.put_back, name, before, target.digest))
        return await self.records.put(name, target)

    async def _undo(self, error: BaseException) -> None:
        """Take everything back. What cannot be is containerd's to drop when the lease expires."""
        while self._undos:
            undo = self._undos.pop()
            try:
                async with asyncio.timeout(_UNDO_LIMIT):
                    await undo()
            except (errors.MooredError, TimeoutError) as failure:
                error.add_note(f"cannot undo the import: {failure!r}")


def _under(lease: str, connection: Connection) -> Connection:
    """Return the same connection, but what is made through it is held by ``lease``."""
    leased = copy.copy(connection)
    metadata = (("containerd-namespace", connection.namespace), ("containerd-lease", lease))
    vars(leased)["_metadata"] = metadata
    return leased


def _read(spool: Spool, blob: Blob, offset: int, size: int) -> bytes:
    if isinstance(blob.content, bytes):
        return blob.content[offset : offset + size]
    return spool.read(blob.content.offset + offset, size)
