"""What docs/mesh.md says of xDS without a proxy holds for the grpc that is installed."""

from __future__ import annotations

import inspect

import grpc
import grpc.aio


def test_a_server_for_asyncio_takes_no_xds_where_one_for_threads_does() -> None:
    """Once this fails, moored can be a mesh's own server: see grpc/grpc#32513."""
    assert "xds" in inspect.signature(grpc.server).parameters
    assert "xds" not in inspect.signature(grpc.aio.server).parameters
