"""Unpacking: a layer's blob is really read, really unpacked, and its content really digested."""

# ruff: noqa: N802  # methods are called as the protocol calls them

from __future__ import annotations

import io
import tarfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from moored.containerd_api import diff_pb2, diff_pb2_grpc, types_pb2
from tests.fakes.content import digest_of
from tests.fakes.refusals import lost, not_found, unknown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.fakes.refusals import Context
    from tests.fakes.store import Store

_OCI: Final = "application/vnd.oci.image.layer."
_DOCKER: Final = "application/vnd.docker.image.rootfs."
_PLAIN: Final = "application/vnd.oci.image.layer.v1.tar"
_GZIP: Final = b"\x1f\x8b"
_GZIP_WINDOW: Final = 31


class Diff(diff_pb2_grpc.DiffServicer):
    def __init__(self, store: Store) -> None:
        self._store = store

    async def Apply(
        self, request: diff_pb2.ApplyRequest, context: Context
    ) -> diff_pb2.ApplyResponse:
        space, diff = self._store.there(context), request.diff
        if not request.HasField("diff"):
            raise lost("Stream removed")  # 1.6 panics
        if (blob := space.blobs.get(diff.digest)) is None:
            why = f"content digest {diff.digest}: not found"
            raise not_found(f"failed to get reader from content store: {why}")
        try:
            content = _uncompressed(blob.content, diff.media_type)
            _unpack(content, _target(request.mounts))
        except _Broken as broken:
            raise unknown(str(broken)) from broken
        self._store.tell(f"=layer {diff.digest}")
        applied = types_pb2.Descriptor(
            media_type=_PLAIN, digest=digest_of(content), size=len(content)
        )
        return diff_pb2.ApplyResponse(applied=applied)


class _Broken(Exception):  # a fact, as all errors here
    """Why a layer cannot be unpacked."""


def _uncompressed(blob: bytes, media_type: str) -> bytes:
    """OCI's plain type is taken at its word; in all others the content decides."""
    if not media_type.startswith((_OCI, _DOCKER)):
        raise _Broken(
            f"failed to get stream processor for {media_type}: no processor for media-type"
        )
    if media_type == _PLAIN or not blob.startswith(_GZIP):
        return blob
    whole = b""
    while blob:
        stream = zlib.decompressobj(_GZIP_WINDOW)
        try:
            whole += stream.decompress(blob)
        except zlib.error as error:
            raise _Broken(f"mount callback failed on /: gzip: {error}") from error
        if not stream.eof:
            raise _Broken("mount callback failed on /: unexpected EOF")
        blob = stream.unused_data
    return whole


def _unpack(content: bytes, target: Path | None) -> None:
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
            if target is not None:
                # As the documentation has it: Pythons before 3.11.4 know no filters.
                archive.extraction_filter = getattr(tarfile, "tar_filter", lambda one, _: one)
                archive.extractall(target)
    except tarfile.ReadError as error:
        if content.strip(b"\0"):
            raise _Broken("mount callback failed on /: archive/tar: invalid tar header") from error
    except tarfile.TarError as error:
        raise _Broken(f"mount callback failed on /: {error}") from error


def _target(mounts: Iterable[types_pb2.Mount]) -> Path | None:
    """Return the directory that writes to the mounts would reach."""
    for mount in mounts:
        if mount.type == "bind":
            return Path(mount.source)
        for option in mount.options:
            if option.startswith("upperdir="):
                return Path(option.removeprefix("upperdir="))
    return None
