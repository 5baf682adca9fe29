"""Blobs as the cases write them, and layers as the cases make them."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from typing import TYPE_CHECKING

import grpc.aio

from moored.containerd_api import content_pb2
from tests.contract.subjects import CALL_WITHIN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.contract.subjects import Subject

STAT, WRITE, COMMIT = content_pb2.STAT, content_pb2.WRITE, content_pb2.COMMIT


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def message(
    action: content_pb2.WriteAction, ref: str, content: bytes = b"", **more: object
) -> content_pb2.WriteContentRequest:
    return content_pb2.WriteContentRequest(action=action, ref=ref, data=content, **more)  # type: ignore[arg-type]


async def write(
    subject: Subject, *messages: content_pb2.WriteContentRequest, lease: str = ""
) -> list[content_pb2.WriteContentResponse]:
    """Send message by message, each after the answer to the one before."""
    call = subject.content.Write(metadata=subject.metadata(lease), timeout=CALL_WITHIN)
    answers = []
    for each in messages:
        await call.write(each)
        answer = await call.read()
        if not isinstance(answer, content_pb2.WriteContentResponse):
            break
        answers.append(answer)
    await call.done_writing()
    assert await call.read() == answers[-1]  # said once more at the end
    assert await call.read() is grpc.aio.EOF
    return answers


async def store(
    subject: Subject, content: bytes, *, labels: Mapping[str, str] | None = None, lease: str = ""
) -> str:
    """Write a blob in one message, and return its digest."""
    digest = digest_of(content)
    one = message(
        COMMIT, f"ref-{digest}", content, total=len(content), expected=digest, labels=labels or {}
    )
    await write(subject, one, lease=lease)
    return digest


async def info(subject: Subject, digest: str) -> content_pb2.Info:
    request = content_pb2.InfoRequest(digest=digest)
    return (await subject.call(subject.content.Info, request)).info


async def read(subject: Subject, digest: str, offset: int = 0, size: int = 0) -> bytes:
    request = content_pb2.ReadContentRequest(digest=digest, offset=offset, size=size)
    return b"".join(part.data for part in await subject.stream(subject.content.Read, request))


def archive(name: str = "file", text: bytes = b"hello\n") -> bytes:
    """Return a tar archive with one file, the same each time."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as writer:
        entry = tarfile.TarInfo(name)
        entry.size = len(text)
        writer.addfile(entry, io.BytesIO(text))
    return held.getvalue()


def compressed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)
