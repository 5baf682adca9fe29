"""Unpacking: the answer's digest is that of what was unpacked, whatever the packing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from grpc import StatusCode

from moored.containerd_api import diff_pb2, types_pb2
from tests.contract.blobs import archive, compressed, digest_of, store
from tests.contract.subjects import ROOT_LABEL, refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.contract.subjects import Subject

OCI = "application/vnd.oci.image.layer.v1.tar"
DOCKER = "application/vnd.docker.image.rootfs.diff.tar"


@pytest.mark.parametrize(
    ("media_type", "packed"),
    [
        (OCI, False),
        (f"{OCI}+gzip", True),
        (f"{OCI}+gzip", False),
        (f"{DOCKER}.gzip", True),
        (DOCKER, True),
        (DOCKER, False),
    ],
)
async def test_layer_is_unpacked_and_its_content_digested(
    subject: Subject, media_type: str, *, packed: bool
) -> None:
    plain = archive()
    digest = await store(subject, compressed(plain) if packed else plain, labels=ROOT_LABEL)
    mounts = await subject.prepare("unpacked", parent="")
    applied = await _apply(subject, digest, media_type, mounts)
    assert (applied.digest, applied.size) == (digest_of(plain), len(plain))
    assert (Path(mounts[0].source) / "file").read_text() == "hello\n"


async def test_plain_media_type_is_taken_at_its_word(subject: Subject) -> None:
    digest = await store(subject, compressed(archive()), labels=ROOT_LABEL)
    assert (await refused(_apply(subject, digest, OCI))).code is StatusCode.UNKNOWN


async def test_layer_can_be_unpacked_upon_another(subject: Subject) -> None:
    digest = await store(subject, archive(), labels=ROOT_LABEL)
    [mount] = await subject.prepare("upon")
    await _apply(subject, digest, OCI, [mount])
    [upper] = [o.partition("=")[2] for o in mount.options if o.startswith("upperdir=")]
    assert (Path(upper) / "file").read_text() == "hello\n"


@pytest.mark.parametrize(
    "content", [b"not a tar" * 100, compressed(archive())[:40]], ids=["garbage", "truncated"]
)
async def test_layer_that_is_broken_is_unknown(subject: Subject, content: bytes) -> None:
    digest = await store(subject, content, labels=ROOT_LABEL)
    mounts = await subject.prepare("broken", parent="")
    call = _apply(subject, digest, f"{OCI}+gzip", mounts)
    assert (await refused(call)).code is StatusCode.UNKNOWN


async def test_unknown_media_type_is_unknown(subject: Subject) -> None:
    digest = await store(subject, archive(), labels=ROOT_LABEL)
    refusal = await refused(_apply(subject, digest, "application/none"))
    assert refusal.code is StatusCode.UNKNOWN
    assert "no processor for media-type" in refusal.details


async def test_blob_must_be_there(subject: Subject) -> None:
    call = _apply(subject, digest_of(b"absent"), OCI)
    assert (await refused(call)).code is StatusCode.NOT_FOUND


async def _apply(
    subject: Subject, digest: str, media_type: str, mounts: Sequence[types_pb2.Mount] = ()
) -> types_pb2.Descriptor:
    if not mounts:
        mounts = await subject.prepare("target", parent="")
    diff = types_pb2.Descriptor(digest=digest, media_type=media_type, size=1)
    request = diff_pb2.ApplyRequest(diff=diff, mounts=mounts)
    return (await subject.call(subject.diff.Apply, request)).applied
