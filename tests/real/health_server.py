"""A gRPC health service in a container's network, for whoever probes it from there."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import grpc
from grpc_health.v1 import health
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server

from tests.real.machines import network_of

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def serving(pid: int, address: str) -> Iterator[health.HealthServicer]:
    """Serve at ``address``, host and port, in the network of a process."""
    checks = health.HealthServicer()

    def begin() -> grpc.Server:
        server = grpc.server(ThreadPoolExecutor(2))
        add_HealthServicer_to_server(checks, server)
        # A socket stays in the network of the thread that made it.
        assert server.add_insecure_port(address)
        server.start()
        return server

    with network_of(pid) as place:
        server = place.run(begin)
        try:
            yield checks
        finally:
            server.stop(None).wait()
