"""What holds a layer or a blob when containerd's collector comes, and what does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grpc import StatusCode

from moored.containerd_api import (
    content_pb2,
    images_pb2,
    leases_pb2,
    snapshots_pb2,
    types_pb2,
)
from tests.contract.blobs import STAT, info, message, store, write
from tests.contract.subjects import ROOT_LABEL, SNAPSHOTTER, refused

if TYPE_CHECKING:
    from tests.contract.subjects import Subject


async def test_lease_can_be_made_listed_and_deleted_once(subject: Subject) -> None:
    await _lease(subject, "mine", labels={"contract/name": "mine"})
    assert (await refused(_lease(subject, "mine"))).code is StatusCode.ALREADY_EXISTS
    request = leases_pb2.ListRequest(filters=['labels."contract/name"==mine'])
    listed = await subject.call(subject.leases.List, request)
    assert [lease.id for lease in listed.leases] == ["mine"]
    await _release(subject, "mine")
    assert (await refused(_release(subject, "mine"))).code is StatusCode.NOT_FOUND


async def test_lease_without_a_name_gets_one(subject: Subject) -> None:
    made = await subject.call(subject.leases.Create, leases_pb2.CreateRequest())
    assert made.lease.id


async def test_layer_that_nothing_holds_is_taken(subject: Subject) -> None:
    await subject.prepare("loose", labels={})
    await _collect(subject)
    assert not await _there(subject, "loose")


async def test_label_holds_a_layer_and_what_is_below_it(subject: Subject) -> None:
    await _committed(subject, "lower", labels={})
    await subject.prepare("upper", parent="lower", labels=ROOT_LABEL)
    await _collect(subject)
    assert await _there(subject, "upper")
    assert await _there(subject, "lower")


async def test_container_holds_its_layer_as_long_as_it_is_there(subject: Subject) -> None:
    await subject.record("holder", layer="held")
    await subject.prepare("held", labels={})
    await _collect(subject)
    assert await _there(subject, "held")
    await subject.remove_record("holder")
    await _collect(subject)
    assert not await _there(subject, "held")


async def test_lease_holds_what_was_made_in_it(subject: Subject) -> None:
    await _lease(subject, "hold")
    request = snapshots_pb2.PrepareSnapshotRequest(snapshotter=SNAPSHOTTER, key="leased")
    await subject.call(subject.layers.Prepare, request, lease="hold")
    digest = await store(subject, b"leased", lease="hold")
    await _collect(subject)
    assert await _there(subject, "leased")
    await info(subject, digest)
    await _release(subject, "hold")
    assert not await _there(subject, "leased")
    assert (await refused(info(subject, digest))).code is StatusCode.NOT_FOUND


async def test_lease_ends_by_itself_when_it_says_so(subject: Subject) -> None:
    await _lease(subject, "brief", labels={"containerd.io/gc.expire": "2020-01-01T00:00:00Z"})
    await _collect(subject)
    listed = await subject.call(subject.leases.List, leases_pb2.ListRequest())
    assert [lease.id for lease in listed.leases] == []


async def test_lease_that_is_not_there_is_refused(subject: Subject) -> None:
    request = snapshots_pb2.PrepareSnapshotRequest(snapshotter=SNAPSHOTTER, key="never")
    call = subject.call(subject.layers.Prepare, request, lease="none")
    assert (await refused(call)).code is StatusCode.NOT_FOUND
    assert not await _there(subject, "never")


async def test_lease_holds_a_blob_that_was_there_already(subject: Subject) -> None:
    digest = await store(subject, b"older", labels=ROOT_LABEL)
    await _lease(subject, "late")
    call = write(subject, _stat_of(digest, b"older"), lease="late")
    assert (await refused(call)).code is StatusCode.ALREADY_EXISTS
    await _unroot(subject, digest)
    await _collect(subject)
    await info(subject, digest)


async def test_blob_that_nothing_holds_is_taken(subject: Subject) -> None:
    digest = await store(subject, b"loose")
    await _collect(subject)
    assert (await refused(info(subject, digest))).code is StatusCode.NOT_FOUND


async def test_image_holds_its_blob_and_what_that_refers_to(subject: Subject) -> None:
    layer = await store(subject, b"layer")
    await _committed(subject, "unpacked", labels={})
    config = await store(
        subject, b"config", labels={"containerd.io/gc.ref.snapshot.overlayfs": "unpacked"}
    )
    refers = {
        "containerd.io/gc.ref.content.config": config,
        "containerd.io/gc.ref.content.l.0": layer,
    }
    manifest = await store(subject, b"manifest", labels=refers)
    target = types_pb2.Descriptor(media_type="a/manifest", digest=manifest, size=8)
    image = images_pb2.Image(name="holds:1", target=target)
    create = images_pb2.CreateImageRequest(image=image)
    await subject.call(subject.images.Create, create)
    await _collect(subject)
    for digest in (layer, config, manifest):
        await info(subject, digest)
    assert await _there(subject, "unpacked")

    delete = images_pb2.DeleteImageRequest(name="holds:1", sync=True)
    await subject.call(subject.images.Delete, delete)
    for digest in (layer, config, manifest):
        assert (await refused(info(subject, digest))).code is StatusCode.NOT_FOUND
    assert not await _there(subject, "unpacked")


async def _lease(subject: Subject, name: str, labels: dict[str, str] | None = None) -> None:
    request = leases_pb2.CreateRequest(id=name, labels=labels or {})
    await subject.call(subject.leases.Create, request)


async def _release(subject: Subject, name: str) -> None:
    request = leases_pb2.DeleteRequest(id=name, sync=True)
    await subject.call(subject.leases.Delete, request)


async def _collect(subject: Subject) -> None:
    """A lease deleted in step with the collector is how anybody can make it run."""
    await _lease(subject, "collect")
    await _release(subject, "collect")


def _stat_of(digest: str, content: bytes) -> content_pb2.WriteContentRequest:
    return message(STAT, "known", total=len(content), expected=digest)


async def _unroot(subject: Subject, digest: str) -> None:
    """Take the label away that has held a blob."""
    request = content_pb2.UpdateRequest(info=content_pb2.Info(digest=digest))
    await subject.call(subject.content.Update, request)


async def _there(subject: Subject, key: str) -> bool:
    request = snapshots_pb2.ListSnapshotsRequest(snapshotter=SNAPSHOTTER, filters=[f"name=={key}"])
    replies = await subject.stream(subject.layers.List, request)
    return any(reply.info for reply in replies)


async def _committed(subject: Subject, name: str, *, labels: dict[str, str]) -> None:
    await subject.prepare(f"{name}-draft", parent="", labels=ROOT_LABEL)
    request = snapshots_pb2.CommitSnapshotRequest(
        snapshotter=SNAPSHOTTER, key=f"{name}-draft", name=name, labels=labels
    )
    await subject.call(subject.layers.Commit, request)
