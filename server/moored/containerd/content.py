"""containerd's content store: blobs by digest, written under whatever lease the connection has."""

from __future__ import annotations

import asyncio
import hashlib
from functools import partial
from typing import TYPE_CHECKING, Final

from moored import errors
from moored.containerd.connection import Absent, Present
from moored.containerd_api import content_pb2, content_pb2_grpc
from moored.uninterrupted import in_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from moored.containerd.connection import Connection

PIECE: Final = 1 << 20
_GRACE: Final = 30.0
_SLOWEST: Final = 4 << 20
"""Bytes a second below which a store counts as hung."""


class Content:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rpc = content_pb2_grpc.ContentStub(connection.channel)

    async def write(
        self,
        digest: str,
        size: int,
        read: Callable[[int, int], bytes],
        *,
        ref: str,
        labels: Mapping[str, str],
    ) -> None:
        """Store ``size`` bytes that ``read(offset, size)`` returns, labelled so.

        What is there already stays, and gets the labels. ``ref`` names the attempt: nobody
        else's, since containerd lets only one write under it.
        """
        upload = _Upload(digest, size, read, ref, labels)
        replies = self._connection.exchange(
            self._rpc.Write,
            upload.requests(),
            f"store {digest}",
            within=_GRACE + size / _SLOWEST,
            digest=digest,
        )
        try:
            async for reply in replies:
                upload.heard(reply)
        except Present:
            await self._label(digest, labels)
        finally:
            upload.end()

    async def abort(self, ref: str) -> None:
        """Drop a write that was not completed, if there is one."""
        try:
            await self._connection.unary(
                self._rpc.Abort, content_pb2.AbortRequest(ref=ref), f"drop the write {ref!r}"
            )
        except Absent:
            return

    async def document(self, digest: str, size: int) -> bytes | None:
        """Return a small blob whole, or None when there is none; it is what its digest says."""
        request = content_pb2.ReadContentRequest(digest=digest, size=size)
        written = bytearray()
        try:
            async for reply in self._connection.stream(
                self._rpc.Read, request, f"read {digest}", digest=digest
            ):
                written += reply.data
        except Absent:
            return None
        if f"sha256:{hashlib.sha256(written).hexdigest()}" != digest:
            raise errors.RuntimeRefused(
                f"cannot read {digest}: containerd has something else there", digest=digest
            )
        return bytes(written)

    async def labels(self, digest: str) -> Mapping[str, str] | None:
        """Return a blob's labels, or None when there is no such blob."""
        try:
            reply = await self._connection.ask(
                self._rpc.Info, content_pb2.InfoRequest(digest=digest), f"look at {digest}"
            )
        except Absent:
            return None
        return dict(reply.info.labels)

    async def _label(self, digest: str, labels: Mapping[str, str]) -> None:
        has = await self.labels(digest) if labels else {}
        missing = {key: value for key, value in labels.items() if (has or {}).get(key) != value}
        if not missing:
            return
        request = content_pb2.UpdateRequest(info=content_pb2.Info(digest=digest, labels=missing))
        request.update_mask.paths.extend(f"labels.{key}" for key in missing)
        await self._connection.unary(self._rpc.Update, request, f"label {digest}")


class _Upload:
    """One blob on its way: where to begin is containerd's to say."""

    def __init__(
        self,
        digest: str,
        size: int,
        read: Callable[[int, int], bytes],
        ref: str,
        labels: Mapping[str, str],
    ) -> None:
        self._digest = digest
        self._size = size
        self._read = read
        self._ref = ref
        self._labels = labels
        self._begin: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()

    def heard(self, reply: content_pb2.WriteContentResponse) -> None:
        if not self._begin.done():
            # It may have the bytes from another namespace, and not need them again.
            self._begin.set_result(reply.offset)

    def end(self) -> None:
        """Let ``requests`` end where no reply has told it to begin."""
        if not self._begin.done():
            self._begin.set_result(None)

    async def requests(self) -> AsyncIterator[content_pb2.WriteContentRequest]:
        yield self._request(content_pb2.STAT)
        offset = await self._begin
        if offset is None:
            return
        while offset < self._size:
            piece = await in_thread(partial(self._read, offset, min(PIECE, self._size - offset)))
            yield self._request(content_pb2.WRITE, offset=offset, data=piece)
            offset += len(piece)
        yield self._request(content_pb2.COMMIT, offset=offset, labels=self._labels)

    def _request(
        self,
        action: content_pb2.WriteAction,
        *,
        offset: int = 0,
        data: bytes = b"",
        labels: Mapping[str, str] | None = None,
    ) -> content_pb2.WriteContentRequest:
        return content_pb2.WriteContentRequest(
            action=action,
            ref=self._ref,
            total=self._size,
            expected=self._digest,
            offset=offset,
            data=data,
            labels=labels,
        )
