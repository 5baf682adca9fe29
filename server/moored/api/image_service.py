"""ImageService on the wire: messages in and out, and who may not be removed.

Raises what ``errors`` has; what that is on the wire, the phrasebook says.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from moorage.v1 import image_service_pb2, image_service_pb2_grpc
from moored import errors
from moored.api.asked import refused
from moored.containerd.names import complete_name

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from moored.containerd.images import ImportedImage

LARGEST_CHUNK: Final = 1 << 20
_LINGER: Final = 1.0
"""Seconds for which a caller whose archive was refused may go on writing."""

NamesInUse: TypeAlias = "Callable[[str], Sequence[str]]"


class ImageStore(Protocol):
    async def import_(
        self, chunks: AsyncIterator[bytes], *, limit: int, name: str, in_use: NamesInUse
    ) -> list[ImportedImage]: ...

    async def list(self) -> list[ImportedImage]: ...

    async def remove(self, name: str) -> bool: ...

    async def only_held_by(self, name: str) -> set[str]: ...


class ImageServicer(image_service_pb2_grpc.ImageServiceServicer):
    def __init__(self, images: ImageStore, *, names_in_use: NamesInUse, import_limit: int) -> None:
        """``names_in_use`` tells which containers were made from a digest."""
        self._images = images
        self._names_in_use = names_in_use
        self._import_limit = import_limit

    async def Import(  # noqa: N802  # the wire's name
        self,
        request_iterator: AsyncIterator[image_service_pb2.ImportRequest],
        context: object,
    ) -> image_service_pb2.ImportResponse:
        name, chunks = await _opened(request_iterator)
        try:
            imported = await self._images.import_(
                chunks, name=name, limit=self._import_limit, in_use=self._names_in_use
            )
        except errors.MooredError:
            await _hear_out(request_iterator)
            raise
        return image_service_pb2.ImportResponse(images=map(_image, imported))

    async def List(  # noqa: N802
        self,
        request: image_service_pb2.ImageServiceListRequest,
        context: object,
    ) -> image_service_pb2.ImageServiceListResponse:
        listed = await self._images.list()
        return image_service_pb2.ImageServiceListResponse(images=map(_image, listed))

    async def Remove(  # noqa: N802
        self,
        request: image_service_pb2.RemoveRequest,
        context: object,
    ) -> image_service_pb2.RemoveResponse:
        name = complete_name(request.image)
        if users := await self._users(name):
            raise errors.ImageInUse(
                f"cannot remove image {name!r}: {len(users)} containers were made from it",
                image=name,
                containers=",".join(users),
            )
        if not await self._images.remove(name):
            raise errors.ImageNotFound(
                f"cannot remove image {name!r}: it is not listed", image=name
            )
        return image_service_pb2.RemoveResponse()

    async def _users(self, name: str) -> list[str]:
        """Return the containers that need what only ``name`` holds."""
        lost = await self._images.only_held_by(name)
        return sorted({user for digest in lost for user in self._names_in_use(digest)})


async def _opened(
    requests: AsyncIterator[image_service_pb2.ImportRequest],
) -> tuple[str, AsyncIterator[bytes]]:
    """Return the name that the stream begins with, if any, and the bytes that follow."""
    first = await anext(requests, None)
    if first is not None and first.WhichOneof("part") == "options":
        return first.options.name, _chunks(None, requests)
    return "", _chunks(first, requests)


async def _chunks(
    first: image_service_pb2.ImportRequest | None,
    requests: AsyncIterator[image_service_pb2.ImportRequest],
) -> AsyncIterator[bytes]:
    if first is not None:
        yield _chunk(first)
    async for request in requests:
        yield _chunk(request)


async def _hear_out(requests: AsyncIterator[image_service_pb2.ImportRequest]) -> None:
    """Let a refused caller finish writing, if that is soon.

    grpc.aio's clients take a write that fails for the end of their call, INTERNAL, even if the
    answer is on its way: whoever has written all hears why it was refused.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(_LINGER):
            async for _ in requests:
                pass


def _chunk(request: image_service_pb2.ImportRequest) -> bytes:
    part = request.WhichOneof("part")
    if part == "options":
        raise refused("options", "comes once, and first")
    if part is None:
        raise refused("chunk", "is required in every message that has no options")
    if len(request.chunk) > LARGEST_CHUNK:
        raise refused("chunk", f"has {len(request.chunk)} bytes, and may have {LARGEST_CHUNK}")
    return request.chunk


def _image(image: ImportedImage) -> image_service_pb2.Image:
    message = image_service_pb2.Image(name=image.name, digest=image.digest, size=image.size)
    message.create_time.FromDatetime(image.created)
    return message
