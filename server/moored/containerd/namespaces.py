"""containerd's namespaces. Ours is made by the first write to it, and removed when empty."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moored.containerd.connection import Absent, Unmet
from moored.containerd_api import namespaces_pb2, namespaces_pb2_grpc

if TYPE_CHECKING:
    from moored.containerd.connection import Connection


class Namespaces:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rpc = namespaces_pb2_grpc.NamespacesStub(connection.channel)

    async def list(self) -> list[str]:
        reply = await self._connection.unary(
            self._rpc.List, namespaces_pb2.ListNamespacesRequest(), "list namespaces"
        )
        return sorted(namespace.name for namespace in reply.namespaces)

    async def remove_if_empty(self, name: str) -> bool:
        """Remove a namespace unless it holds anything, and return whether it did."""
        request = namespaces_pb2.DeleteNamespaceRequest(name=name)
        try:
            await self._connection.unary(self._rpc.Delete, request, f"remove namespace {name!r}")
        except (Absent, Unmet):
            return False
        return True
