"""An archive on its way to moored: its name first, then its bytes in messages of a fair size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from moorage.v1.image_service_pb2 import ImportOptions, ImportRequest

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Iterable

CHUNK: Final = 512 * 1024
"""Bytes in one message; moored takes at most a megabyte."""


async def import_requests(
    archive: AsyncIterable[bytes] | Iterable[bytes], name: str
) -> AsyncIterator[ImportRequest]:
    if name:
        yield ImportRequest(options=ImportOptions(name=name))
    gathered = bytearray()
    async for piece in _pieces(archive):
        gathered += piece
        while len(gathered) >= CHUNK:
            yield ImportRequest(chunk=bytes(gathered[:CHUNK]))
            del gathered[:CHUNK]
    if gathered:
        yield ImportRequest(chunk=bytes(gathered))


async def _pieces(archive: AsyncIterable[bytes] | Iterable[bytes]) -> AsyncIterator[bytes]:
    if hasattr(archive, "__aiter__"):
        async for piece in archive:
            yield piece
    else:
        for piece in archive:
            yield piece
