"""containerd's leases: they hold what is made under them until something else does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from moored.containerd.connection import CALL_LIMIT, Absent
from moored.containerd.values import Lease
from moored.containerd_api import leases_pb2, leases_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moored.containerd.connection import Connection

_COLLECTION_LIMIT: Final = 60.0
"""Seconds for containerd's collector to look at all there is."""


class Leases:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rpc = leases_pb2_grpc.LeasesStub(connection.channel)

    async def create(self, lease: str, labels: Mapping[str, str]) -> None:
        """Make a lease. Label ``containerd.io/gc.expire`` lets it end by itself."""
        await self._connection.unary(
            self._rpc.Create,
            leases_pb2.CreateRequest(id=lease, labels=labels),
            f"create lease {lease!r}",
            lease=lease,
        )

    async def delete(self, lease: str, *, sync: bool = False) -> bool:
        """Delete a lease, and return whether there was one; ``sync``: once all it held is gone."""
        try:
            await self._connection.unary(
                self._rpc.Delete,
                leases_pb2.DeleteRequest(id=lease, sync=sync),
                f"delete lease {lease!r}",
                within=_COLLECTION_LIMIT if sync else CALL_LIMIT,
                lease=lease,
            )
        except Absent:
            return False
        return True

    async def list(self) -> list[Lease]:
        reply = await self._connection.unary(
            self._rpc.List, leases_pb2.ListRequest(), "list leases"
        )
        return [Lease(lease.id, dict(lease.labels)) for lease in reply.leases]
