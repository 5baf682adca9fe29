"""Records without processes: containers, leases, namespaces."""

# ruff: noqa: N802  # methods are called as the protocol calls them

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from google.protobuf import empty_pb2

from moored.containerd_api import (
    containers_pb2,
    containers_pb2_grpc,
    leases_pb2,
    leases_pb2_grpc,
    namespaces_pb2,
    namespaces_pb2_grpc,
)
from tests.fakes.collector import collect
from tests.fakes.filters import matching
from tests.fakes.refusals import (
    LARGEST_LABEL,
    exists,
    invalid,
    not_found,
    unmet,
    why_no_identifier,
)
from tests.fakes.store import Lease

if TYPE_CHECKING:
    from tests.fakes.refusals import Context
    from tests.fakes.store import Store


class Containers(containers_pb2_grpc.ContainersServicer):
    def __init__(self, store: Store) -> None:
        self._store = store

    async def Get(
        self, request: containers_pb2.GetContainerRequest, context: Context
    ) -> containers_pb2.GetContainerResponse:
        space = self._store.there(context)
        if (found := space.containers.get(request.id)) is None:
            raise not_found(f'container "{request.id}" in namespace "{space.name}": not found')
        return containers_pb2.GetContainerResponse(container=found)

    async def List(
        self, request: containers_pb2.ListContainersRequest, context: Context
    ) -> containers_pb2.ListContainersResponse:
        found = [
            container
            for _, container in sorted(self._store.there(context).containers.items())
            if matching(request.filters, _container_fields(container), container.labels)
        ]
        return containers_pb2.ListContainersResponse(containers=found)

    async def Create(
        self, request: containers_pb2.CreateContainerRequest, context: Context
    ) -> containers_pb2.CreateContainerResponse:
        space, asked = self._store.there(context), request.container
        if why := _why_no_container(asked):
            raise invalid(f"create container failed validation: {why}")
        if asked.id in space.containers:
            raise exists(f'container "{asked.id}": already exists')
        made = containers_pb2.Container()
        made.CopyFrom(asked)
        made.created_at.CopyFrom(self._store.stamp())
        self._store.settled(space).containers[made.id] = made
        self._store.tell(f"+container {made.id}")
        self._store.bus.announce(space.name, "/containers/create")
        return containers_pb2.CreateContainerResponse(container=made)

    async def Update(
        self, request: containers_pb2.UpdateContainerRequest, context: Context
    ) -> containers_pb2.UpdateContainerResponse:
        """Of what a mask can name, extensions are what is asked for."""
        space, asked = self._store.there(context), request.container
        if (found := space.containers.get(asked.id)) is None:
            raise not_found(f'container "{asked.id}": not found')
        for path in request.update_mask.paths:
            key = path.removeprefix("extensions.")
            if key == path:
                raise invalid(f"cannot update {path!r} field on {asked.id!r}: not supported")
            found.extensions[key].CopyFrom(asked.extensions[key])
        self._store.bus.announce(space.name, "/containers/update")
        return containers_pb2.UpdateContainerResponse(container=found)

    async def Delete(
        self, request: containers_pb2.DeleteContainerRequest, context: Context
    ) -> empty_pb2.Empty:
        space = self._store.there(context)
        if space.containers.pop(request.id, None) is None:
            self._store.tell(f"?container {request.id}")
            why = f'cannot delete container "{request.id}" in namespace "{space.name}": not found'
            raise not_found(why)
        self._store.tell(f"-container {request.id}")
        self._store.bus.announce(space.name, "/containers/delete")
        return empty_pb2.Empty()


class Leases(leases_pb2_grpc.LeasesServicer):
    def __init__(self, store: Store) -> None:
        self._store = store
        self._numbers = itertools.count(1)

    async def Create(
        self, request: leases_pb2.CreateRequest, context: Context
    ) -> leases_pb2.CreateResponse:
        space = self._store.there(context)
        name = request.id or f"lease-{next(self._numbers)}"
        if name in space.leases:
            raise exists(f'lease "{name}": already exists')
        made = leases_pb2.Lease(id=name, created_at=self._store.stamp(), labels=request.labels)
        self._store.settled(space).leases[name] = Lease(made)
        self._store.tell(f"+lease {name}")
        return leases_pb2.CreateResponse(lease=made)

    async def Delete(self, request: leases_pb2.DeleteRequest, context: Context) -> empty_pb2.Empty:
        space = self._store.there(context)
        if space.leases.pop(request.id, None) is None:
            self._store.tell(f"?lease {request.id}")
            raise not_found(f'lease "{request.id}": not found')
        self._store.tell(f"-lease {request.id}")
        if request.sync:
            collect(self._store)
        return empty_pb2.Empty()

    async def List(
        self, request: leases_pb2.ListRequest, context: Context
    ) -> leases_pb2.ListResponse:
        found = [
            held.lease
            for name, held in sorted(self._store.there(context).leases.items())
            if matching(request.filters, {"id": name}, held.lease.labels)
        ]
        return leases_pb2.ListResponse(leases=found)


class Namespaces(namespaces_pb2_grpc.NamespacesServicer):
    """The only ones here whose calls need no namespace."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def List(
        self, request: namespaces_pb2.ListNamespacesRequest, context: Context
    ) -> namespaces_pb2.ListNamespacesResponse:
        found = [namespaces_pb2.Namespace(name=name) for name in sorted(self._store.namespaces)]
        return namespaces_pb2.ListNamespacesResponse(namespaces=found)

    async def Delete(
        self, request: namespaces_pb2.DeleteNamespaceRequest, context: Context
    ) -> empty_pb2.Empty:
        space = self._store.namespaces.get(request.name)
        if space is None:
            raise not_found(f'namespace "{request.name}": not found')
        if occupants := space.occupants():
            still = ", ".join(occupants)
            raise unmet(f'namespace "{space.name}" must be empty, but it still has {still}')
        del self._store.namespaces[request.name]
        return empty_pb2.Empty()


def _why_no_container(asked: containers_pb2.Container) -> str:
    if why := why_no_identifier(asked.id):
        return f"container.ID: {why}"
    for key, value in asked.labels.items():
        if len(key) + len(value) > LARGEST_LABEL:
            limit = f"maximum size ({LARGEST_LABEL} bytes), key: {key[:10]}"
            return f"containers.Labels: label key and value greater than {limit}"
    if not asked.runtime.name:
        return "container.Runtime.Name must be set"
    if not asked.HasField("spec"):
        return "container.Spec must be set"
    if asked.snapshot_key and not asked.snapshotter:
        return "container.Snapshotter must be set if container.SnapshotKey is set"
    return ""


def _container_fields(container: containers_pb2.Container) -> dict[str, str]:
    runtime = container.runtime.name
    return {"id": container.id, "image": container.image, "runtime.name": runtime}
