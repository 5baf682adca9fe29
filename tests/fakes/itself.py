"""What a containerd says of itself."""

# ruff: noqa: N802  # methods are called as the protocol calls them

from __future__ import annotations

from typing import TYPE_CHECKING

from moored.containerd_api import (
    introspection_pb2,
    introspection_pb2_grpc,
    version_pb2,
    version_pb2_grpc,
)
from tests.fakes.filters import matching

if TYPE_CHECKING:
    from google.protobuf import empty_pb2

    from tests.fakes.refusals import Context
    from tests.fakes.store import Store


class Version(version_pb2_grpc.VersionServicer):
    version = "1.6.20~fake"

    async def Version(
        self, request: empty_pb2.Empty, context: Context
    ) -> version_pb2.VersionResponse:
        return version_pb2.VersionResponse(version=self.version, revision="fake")


class Introspection(introspection_pb2_grpc.IntrospectionServicer):
    def __init__(self, store: Store) -> None:
        self._store = store

    async def Plugins(
        self, request: introspection_pb2.PluginsRequest, context: Context
    ) -> introspection_pb2.PluginsResponse:
        found = [
            introspection_pb2.Plugin(type=kind, id=name, exports=exports)
            for (kind, name), exports in self._store.exports().items()
            if matching(request.filters, {"type": kind, "id": name})
        ]
        return introspection_pb2.PluginsResponse(plugins=found)
