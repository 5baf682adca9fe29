"""The content store: blobs by digest, and the ingests that become blobs."""

# ruff: noqa: N802  # methods are called as the protocol calls them

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from google.protobuf import empty_pb2
from grpc import StatusCode

from moored.containerd_api import content_pb2, content_pb2_grpc
from tests.fakes.filters import matching
from tests.fakes.images import set_labels
from tests.fakes.refusals import Refused, exists, invalid, lost, not_found, unmet
from tests.fakes.snapshots import lease_of
from tests.fakes.store import Blob, never

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.fakes.faults import Faults
    from tests.fakes.refusals import Context
    from tests.fakes.store import Namespace, Store

_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_PART: Final = 256 * 1024


@dataclass
class Ingest:
    """What was written under one reference, and not committed yet."""

    ref: str
    content: bytearray
    total: int = 0
    expected: str = ""
    locked: bool = False

    @property
    def digest(self) -> str:
        return digest_of(self.content)


class Content(content_pb2_grpc.ContentServicer):
    def __init__(self, store: Store, faults: Faults) -> None:
        self._store = store
        self._faults = faults
        self.ingests: Final[dict[tuple[str, str], Ingest]] = {}

    async def Info(
        self, request: content_pb2.InfoRequest, context: Context
    ) -> content_pb2.InfoResponse:
        if not _DIGEST.fullmatch(request.digest):
            details = f'"{request.digest}" failed validation'
            raise Refused(StatusCode.INVALID_ARGUMENT, details)
        return content_pb2.InfoResponse(info=self._blob(request.digest, context).info)

    async def Update(
        self, request: content_pb2.UpdateRequest, context: Context
    ) -> content_pb2.UpdateResponse:
        info = self._blob(request.info.digest, context).info
        for path in request.update_mask.paths or ("labels",):
            if not set_labels(info.labels, request.info.labels, path):
                raise invalid(f'cannot update "{path}" field on content info "{info.digest}"')
        info.updated_at.CopyFrom(self._store.stamp())
        return content_pb2.UpdateResponse(info=info)

    async def List(
        self, request: content_pb2.ListContentRequest, context: Context
    ) -> AsyncIterator[content_pb2.ListContentResponse]:
        found = [
            blob.info
            for digest, blob in sorted(self._store.there(context).blobs.items())
            if matching(request.filters, {"digest": digest}, blob.info.labels)
        ]
        if found:
            yield content_pb2.ListContentResponse(info=found)

    async def Delete(
        self, request: content_pb2.DeleteContentRequest, context: Context
    ) -> empty_pb2.Empty:
        self._blob(request.digest, context)
        del self._store.there(context).blobs[request.digest]
        self._store.tell(f"-blob {request.digest}")
        return empty_pb2.Empty()

    async def Read(
        self, request: content_pb2.ReadContentRequest, context: Context
    ) -> AsyncIterator[content_pb2.ReadContentResponse]:
        content = self._blob(request.digest, context).content
        end = min(request.offset + (request.size or len(content)), len(content))
        if request.offset > len(content):
            raise Refused(StatusCode.OUT_OF_RANGE, f"read past object length {len(content)} bytes")
        for offset in range(request.offset, end, _PART):
            part = content[offset : min(offset + _PART, end)]
            yield content_pb2.ReadContentResponse(offset=offset, data=part)

    async def Write(
        self, request: AsyncIterator[content_pb2.WriteContentRequest], context: Context
    ) -> AsyncIterator[content_pb2.WriteContentResponse]:
        space = self._store.there(context)
        ingest: Ingest | None = None
        answer: content_pb2.WriteContentResponse | None = None
        try:
            async for message in request:
                if ingest is None:
                    ingest = self._opened(space, message, context)
                answer = await self._written(space, ingest, message, context)
                yield answer
            if answer is not None:
                yield answer  # the real one, too, says it once more
        finally:
            if ingest is not None:
                ingest.locked = False

    async def Abort(self, request: content_pb2.AbortRequest, context: Context) -> empty_pb2.Empty:
        space = self._store.there(context)
        if self.ingests.pop((space.name, request.ref), None) is None:
            raise not_found(f"reference {request.ref}: not found")
        return empty_pb2.Empty()

    def _blob(self, digest: str, context: Context) -> Blob:
        found = self._store.there(context).blobs.get(digest)
        if found is None:
            raise not_found(f"content digest {digest}: not found")
        return found

    def _opened(
        self, space: Namespace, first: content_pb2.WriteContentRequest, context: Context
    ) -> Ingest:
        if not first.ref:
            details = "first message must have a reference"
            raise Refused(StatusCode.INVALID_ARGUMENT, details)
        lease = lease_of(space, context)
        if first.expected in space.blobs:
            if lease is not None:
                lease.blobs.add(first.expected)
            raise exists(f"content {first.expected}: already exists")
        ingest = self.ingests.get((space.name, first.ref))
        if ingest is not None and ingest.locked:
            raise lost(f"ref {space.name}/1/{first.ref} locked: unavailable")
        if ingest is None or (first.total and first.total != ingest.total):
            ingest = Ingest(first.ref, bytearray())
        self._store.settled(space)
        self.ingests[space.name, first.ref] = ingest
        ingest.locked = True
        return ingest

    async def _written(
        self,
        space: Namespace,
        ingest: Ingest,
        message: content_pb2.WriteContentRequest,
        context: Context,
    ) -> content_pb2.WriteContentResponse:
        ingest.total = message.total or ingest.total
        if message.expected:
            if message.expected in space.blobs and message.expected != ingest.expected:
                raise exists(f"blob with expected digest {message.expected} exists")
            ingest.expected = message.expected
        if message.action != content_pb2.STAT:
            _append(ingest, message)
        if message.action == content_pb2.COMMIT:
            async with self._faults.around("Content.Commit", ingest.ref, context):
                self._commit(space, ingest, message, context)
        return content_pb2.WriteContentResponse(
            action=message.action,
            started_at=never(),
            updated_at=never(),
            offset=len(ingest.content),
            total=ingest.total,
            digest=ingest.digest,
        )

    def _commit(
        self,
        space: Namespace,
        ingest: Ingest,
        message: content_pb2.WriteContentRequest,
        context: Context,
    ) -> None:
        size, digest = len(ingest.content), ingest.digest
        if ingest.total and ingest.total != size:
            raise unmet(f'"{ingest.ref}" failed size validation: {size} != {ingest.total}')
        if ingest.expected and ingest.expected != digest:
            raise unmet(f"unexpected commit digest {digest}, expected {ingest.expected}")
        if digest in space.blobs:
            raise exists(f"content {digest}: already exists")
        lease = lease_of(space, context)
        info = content_pb2.Info(
            digest=digest,
            size=size,
            created_at=self._store.stamp(),
            updated_at=self._store.stamp(),
            labels=message.labels,
        )
        space.blobs[digest] = Blob(info, bytes(ingest.content))
        if lease is not None:
            lease.blobs.add(digest)
        self.ingests.pop((space.name, ingest.ref), None)
        self._store.tell(f"+blob {digest}")


def digest_of(content: bytes | bytearray) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _append(ingest: Ingest, message: content_pb2.WriteContentRequest) -> None:
    """Write where the message says; an offset of 0 begins again, also with a commit's."""
    have = len(ingest.content)
    if message.offset > have:
        raise Refused(
            StatusCode.OUT_OF_RANGE,
            f"write @{message.offset} must occur at current offset {have}",
        )
    if message.offset == 0:
        ingest.content.clear()
    elif 0 < message.offset < have:
        raise Refused(StatusCode.UNKNOWN, "Truncate: unsupported size")
    ingest.content += message.data
