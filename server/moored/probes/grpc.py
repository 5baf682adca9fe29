"""gRPC: one call of the standard health service, on a connection that is there already.

gRPC's own client takes no connection made by others, hence HTTP/2 by itself. One call, and no
channel that outlives it.
"""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2
from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.exceptions import ProtocolError

from moored.probes.finding import Finding, failed, succeeded

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable

    from moored.model.health import GrpcProbe

_METHOD: Final = "/grpc.health.v1.Health/Check"
_PREFIX: Final = struct.Struct(">BI")
"""Before each message: whether it is compressed, and its length."""
_LARGEST_ANSWER: Final = 4096
_AT_ONCE: Final = 1 << 16


@dataclass
class _Answer:
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    ended: bool = False
    broken: str = ""


async def check(connected: socket.socket, probe: GrpcProbe) -> Finding:
    """Ask over ``connected``, which is closed at the end. OSError: the server did not answer."""
    reader, writer = await asyncio.open_connection(sock=connected)
    try:
        return _judged(await _ask(reader, writer, probe))
    except ProtocolError as error:
        return failed(f"the answer is no HTTP/2: {error}")
    finally:
        writer.transport.abort()


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, probe: GrpcProbe
) -> _Answer:
    connection = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
    connection.initiate_connection()
    stream = connection.get_next_available_stream_id()
    connection.send_headers(stream, _headers(probe))
    connection.send_data(stream, _message(probe), end_stream=True)
    answer = _Answer()
    while not (answer.ended or answer.broken):
        writer.write(connection.data_to_send())
        await writer.drain()
        if not (data := await reader.read(_AT_ONCE)):
            answer.broken = "the connection was closed without an answer"
            break
        _take(answer, connection, connection.receive_data(data))
    return answer


def _take(answer: _Answer, connection: H2Connection, happened: Iterable[events.Event]) -> None:
    for event in happened:
        match event:
            case (
                events.ResponseReceived(headers=headers) | events.TrailersReceived(headers=headers)
            ):
                answer.headers.update((str(name), str(value)) for name, value in headers or ())
            case events.DataReceived(data=data, flow_controlled_length=length, stream_id=stream):
                answer.body += data or b""
                connection.acknowledge_received_data(length or 0, stream or 0)
                if len(answer.body) > _LARGEST_ANSWER:
                    answer.broken = "the answer is too large"
            case events.StreamEnded():
                answer.ended = True
            case events.StreamReset() | events.ConnectionTerminated():
                answer.broken = f"the server ended the call: error {event.error_code!s}"
            case _:
                pass


def _headers(probe: GrpcProbe) -> list[tuple[str, str]]:
    host = probe.host or "localhost"
    authority = f"[{host}]:{probe.port}" if ":" in host else f"{host}:{probe.port}"
    return [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", _METHOD),
        (":authority", authority),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("user-agent", "moored"),
    ]


def _message(probe: GrpcProbe) -> bytes:
    body: bytes = health_pb2.HealthCheckRequest(service=probe.service).SerializeToString()
    return _PREFIX.pack(0, len(body)) + body


def _judged(answer: _Answer) -> Finding:
    if answer.broken:
        return failed(answer.broken)
    status = answer.headers.get("grpc-status")
    if status != "0":
        http = answer.headers.get(":status")
        said = f"HTTP {http}" if status is None else f"gRPC status {status}"
        return failed(f"{said} {answer.headers.get('grpc-message', '')}".rstrip())
    try:
        found = health_pb2.HealthCheckResponse.FromString(bytes(answer.body[_PREFIX.size :]))
    except DecodeError:
        return failed("the answer is no HealthCheckResponse")
    kinds = health_pb2.HealthCheckResponse.ServingStatus
    if found.status == health_pb2.HealthCheckResponse.SERVING:
        return succeeded("SERVING")
    known = found.status in kinds.values()
    return failed(kinds.Name(found.status) if known else f"status {found.status}")
