"""A probe believes a server that says it serves, as the protocol has it, and nobody else.

The servers are in this process; what a network namespace adds is in tests/e2e/test_health.py.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio as health
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server
from hypothesis import given
from hypothesis import strategies as st

from moored.model.health import LARGEST_OUTPUT, GrpcProbe, HttpProbe, Outcome
from moored.probes import finding
from moored.probes import grpc as grpc_probe
from moored.probes import http as http_probe

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from moored.probes.finding import Finding

WITHIN = 20.0


async def connection(port: int) -> socket.socket:
    made = socket.socket()
    made.setblocking(False)
    await asyncio.get_running_loop().sock_connect(made, ("127.0.0.1", port))
    return made


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that answers each connection's first lines so, and the port that it is at."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.read(1 << 16))
        writer.write(answer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], asked
    finally:
        server.close()


async def http(port: int, probe: HttpProbe | None = None) -> Finding:
    async with asyncio.timeout(WITHIN):
        return await http_probe.get(await connection(port), probe or HttpProbe(port))


@pytest.mark.parametrize(
    ("answer", "outcome", "said"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nhello", Outcome.SUCCEEDED, "HTTP/1.1 200 OK"),
        (b"HTTP/1.0 399\r\n\r\n", Outcome.SUCCEEDED, "HTTP/1.0 399"),
        (b"HTTP/1.1 400 Bad\r\n\r\n", Outcome.FAILED, "HTTP/1.1 400 Bad"),
        (b"HTTP/1.1 503 Not Now\r\n\r\n", Outcome.FAILED, "HTTP/1.1 503 Not Now"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", Outcome.FAILED, "HTTP/1.1 100 Continue"),
        (b"SSH-2.0-x\r\n", Outcome.FAILED, "the answer is no HTTP: 'SSH-2.0-x'"),
        (b"HTTP/1.1 200 OK", Outcome.FAILED, "the answer is no HTTP: 'HTTP/1.1 200 OK'"),
        (b"", Outcome.FAILED, "the connection was closed without an answer"),
        (b"x" * 9000, Outcome.FAILED, "the answer is no HTTP: its first line is too long"),
    ],
)
async def test_http_is_judged_by_its_status(answer: bytes, outcome: Outcome, said: str) -> None:
    async with answering(answer) as (port, _):
        found = await http(port)
    assert (found.outcome, found.output) == (outcome, said)


async def test_http_asks_for_what_was_asked_for() -> None:
    probe = HttpProbe(80, "/healthz?a=b", headers=(("X-One", "1"), ("host", "example.org")))
    async with answering(b"HTTP/1.1 204 No Content\r\n\r\n") as (port, asked):
        await http(port, probe)
    assert asked[0].decode().splitlines() == [
        "GET /healthz?a=b HTTP/1.1",
        "host: example.org",
        "User-Agent: moored",
        "X-One: 1",
        "Connection: close",
        "",
    ]


async def test_a_server_that_is_asked_by_tls_and_has_none_has_failed() -> None:
    async with answering(b"HTTP/1.1 200 OK\r\n\r\n") as (port, _):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await http(port, HttpProbe(port, tls=True))


@asynccontextmanager
async def serving(*, implemented: bool = True) -> AsyncIterator[tuple[int, health.HealthServicer]]:
    checks = health.HealthServicer()
    server = grpc.aio.server()
    if implemented:
        add_HealthServicer_to_server(checks, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield port, checks
    finally:
        await server.stop(None)


async def asked(port: int, service: str = "") -> Finding:
    async with asyncio.timeout(WITHIN):
        return await grpc_probe.check(await connection(port), GrpcProbe(port, service))


async def test_grpc_is_judged_by_what_its_health_service_says() -> None:
    async with serving() as (port, checks):
        await checks.set("a", health_pb2.HealthCheckResponse.SERVING)
        await checks.set("b", health_pb2.HealthCheckResponse.NOT_SERVING)
        assert await asked(port) == finding.succeeded("SERVING")
        assert await asked(port, "a") == finding.succeeded("SERVING")
        assert await asked(port, "b") == finding.failed("NOT_SERVING")
        assert (await asked(port, "c")).output.startswith("gRPC status 5")


async def test_a_grpc_server_without_the_health_service_has_failed() -> None:
    async with serving(implemented=False) as (port, _):
        found = await asked(port)
    assert found.outcome is Outcome.FAILED
    assert found.output.startswith("gRPC status 12")


async def test_what_speaks_no_http2_has_failed() -> None:
    async with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as (port, _):
        found = await asked(port)
    assert found.outcome is Outcome.FAILED


@given(st.text(max_size=3 * LARGEST_OUTPUT))
def test_output_is_kept_up_to_a_bound_in_whole_characters(text: str) -> None:
    kept = finding.short(text)
    assert len(kept.encode()) <= LARGEST_OUTPUT
    assert text.encode(errors="replace").decode().startswith(kept)
