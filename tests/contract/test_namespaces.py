"""Every call belongs to a namespace, which is there once something is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from google.protobuf import empty_pb2
from grpc import StatusCode

from moored.containerd_api import (
    containers_pb2,
    content_pb2,
    diff_pb2,
    images_pb2,
    introspection_pb2,
    leases_pb2,
    namespaces_pb2,
    snapshots_pb2,
    tasks_pb2,
    types_pb2,
)
from tests.contract.subjects import SNAPSHOTTER, refused

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from tests.contract.subjects import Subject

_NOWHERE = f"sha256:{'0' * 64}"
CALLS = [
    ("containers", "List", containers_pb2.ListContainersRequest()),
    ("tasks", "List", tasks_pb2.ListTasksRequest()),
    ("layers", "Stat", snapshots_pb2.StatSnapshotRequest(snapshotter=SNAPSHOTTER, key="x")),
    ("images", "List", images_pb2.ListImagesRequest()),
    ("content", "Info", content_pb2.InfoRequest(digest=_NOWHERE)),
    ("diff", "Apply", diff_pb2.ApplyRequest(diff=types_pb2.Descriptor(digest=_NOWHERE))),
    ("leases", "List", leases_pb2.ListRequest()),
]


@pytest.mark.parametrize(("service", "method", "request_"), CALLS)
async def test_call_without_a_namespace_is_refused(
    subject: Subject, service: str, method: str, request_: Message
) -> None:
    rpc = getattr(getattr(subject, service), method)
    refusal = await refused(subject.call(rpc, request_, namespace=""))
    assert refusal.code is StatusCode.FAILED_PRECONDITION
    assert "namespace is required" in refusal.details


async def test_name_of_a_namespace_has_a_grammar(subject: Subject) -> None:
    request = containers_pb2.ListContainersRequest()
    refusal = await refused(subject.call(subject.containers.List, request, namespace="a b"))
    assert refusal.code is StatusCode.INVALID_ARGUMENT


async def test_containerd_itself_needs_none(subject: Subject) -> None:
    version = await subject.call(subject.version.Version, empty_pb2.Empty(), namespace="")
    assert version.version.startswith("{}.{}.".format(*subject.series))
    plugins = await subject.call(
        subject.introspection.Plugins,
        introspection_pb2.PluginsRequest(filters=["type==io.containerd.snapshotter.v1"]),
        namespace="",
    )
    [plugin] = [plugin for plugin in plugins.plugins if plugin.id == SNAPSHOTTER]
    assert plugin.exports["root"] == str(subject.root / "io.containerd.snapshotter.v1.overlayfs")


async def test_namespace_is_there_once_something_is_in_it(subject: Subject) -> None:
    listing = namespaces_pb2.ListNamespacesRequest()
    other = f"{subject.namespace}-other"
    asked = containers_pb2.ListContainersRequest()
    await subject.call(subject.containers.List, asked, namespace=other)
    before = await subject.call(subject.namespaces.List, listing, namespace="")
    assert subject.namespace in [space.name for space in before.namespaces]
    assert other not in [space.name for space in before.namespaces]

    lease = leases_pb2.CreateRequest(id="first")
    await subject.call(subject.leases.Create, lease, namespace=other)
    after = await subject.call(subject.namespaces.List, listing, namespace="")
    assert other in [space.name for space in after.namespaces]

    gone = leases_pb2.DeleteRequest(id="first")
    await subject.call(subject.leases.Delete, gone, namespace=other)
    delete = namespaces_pb2.DeleteNamespaceRequest(name=other)
    await subject.call(subject.namespaces.Delete, delete)
    refusal = await refused(subject.call(subject.namespaces.Delete, delete))
    assert refusal.code is StatusCode.NOT_FOUND


async def test_namespace_with_something_in_it_is_not_deleted(subject: Subject) -> None:
    await subject.record("held")
    request = namespaces_pb2.DeleteNamespaceRequest(name=subject.namespace)
    refusal = await refused(subject.call(subject.namespaces.Delete, request))
    assert refusal.code is StatusCode.FAILED_PRECONDITION
    assert "containers" in refusal.details
    assert "snapshots" in refusal.details


async def test_namespaces_do_not_see_each_other(subject: Subject) -> None:
    await subject.record("here")
    request = containers_pb2.GetContainerRequest(id="here")
    call = subject.call(subject.containers.Get, request, namespace="elsewhere")
    assert (await refused(call)).code is StatusCode.NOT_FOUND
