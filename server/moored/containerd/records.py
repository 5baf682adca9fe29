"""containerd's image records: a name, and the digest of what it means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from moored import errors
from moored.containerd.connection import Absent, Present
from moored.containerd.timestamps import moment
from moored.containerd_api import images_pb2, images_pb2_grpc, types_pb2

if TYPE_CHECKING:
    from datetime import datetime

    from moored.containerd.connection import Connection
    from moored.containerd.packages import Blob

_ATTEMPTS: Final = 5


@dataclass(frozen=True)
class Target:
    """What a name means."""

    media_type: str
    digest: str
    size: int


@dataclass(frozen=True)
class Record:
    name: str
    target: Target
    created: datetime

    @property
    def digest(self) -> str:
        return self.target.digest


class Records:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rpc = images_pb2_grpc.ImagesStub(connection.channel)

    async def get(self, name: str) -> Record | None:
        try:
            reply = await self._connection.ask(
                self._rpc.Get,
                images_pb2.GetImageRequest(name=name),
                f"look up image {name!r}",
                image=name,
            )
        except Absent:
            return None
        return _record(reply.image)

    async def list(self) -> list[Record]:
        """Return all records by name."""
        request = images_pb2.ListImagesRequest()
        reply = await self._connection.ask(self._rpc.List, request, "list images")
        return sorted((_record(image) for image in reply.images), key=lambda one: one.name)

    async def put(self, name: str, target: Blob | Target) -> Record:
        """Let ``name`` mean ``target``, whatever it meant before."""
        for _ in range(_ATTEMPTS):
            try:
                return await self._write(name, target)
            except (Present, Absent):
                continue  # somebody else came in between
            except errors.RuntimeUnreachable:
                record = await self.get(name)
                if record is None or record.digest != target.digest:
                    raise
                return record
        raise errors.RuntimeRefused(
            f"cannot name image {name!r}: others change it all the time", image=name
        )

    async def put_back(self, name: str, before: Record | None, instead_of: str) -> None:
        """Let ``name`` mean what it meant before, unless it has moved on meanwhile."""
        record = await self.get(name)
        if record is None or record.digest != instead_of:
            return
        if before is None:
            await self.delete(name)
        else:
            await self.put(name, before.target)

    async def delete(self, name: str) -> bool:
        """Forget ``name``, and whatever only it held; tell whether it was there."""
        request = images_pb2.DeleteImageRequest(name=name, sync=True)
        try:
            await self._connection.unary(
                self._rpc.Delete, request, f"remove image {name!r}", image=name
            )
        except Absent:
            return False
        return True

    async def _write(self, name: str, target: Blob | Target) -> Record:
        image = images_pb2.Image(
            name=name,
            target=types_pb2.Descriptor(
                media_type=target.media_type, digest=target.digest, size=target.size
            ),
        )
        purpose = f"name image {name!r}"
        if await self.get(name) is None:
            create = images_pb2.CreateImageRequest(image=image)
            reply = await self._connection.unary(self._rpc.Create, create, purpose, image=name)
            return _record(reply.image)
        update = images_pb2.UpdateImageRequest(image=image)
        update.update_mask.paths.append("target")
        updated = await self._connection.unary(self._rpc.Update, update, purpose, image=name)
        return _record(updated.image)


def _record(image: images_pb2.Image) -> Record:
    target = Target(image.target.media_type, image.target.digest, image.target.size)
    return Record(image.name, target, moment(image.created_at))
