"""A collector as a process of its own: OTLP over gRPC on a socket, written down line by line.

    python -m tests.real.receiver SOCKET FILE

Each span, metric and log record becomes a line of JSON in FILE, with ``signal`` saying which.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

import grpc.aio
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2_grpc as log_services
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as metric_services
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as trace_services

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from google.protobuf.message import Message

_READY: Final = "ready"
_END_WITHIN: Final = 10.0
_OPTIONS: Final = (("grpc.max_receive_message_length", 64 * 1024 * 1024),)


@dataclass(frozen=True)
class Received:
    """One span, with what tests ask of it."""

    said: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.said["name"])

    @property
    def trace(self) -> str:
        return str(self.said["traceId"])

    @property
    def id(self) -> str:
        return str(self.said["spanId"])

    @property
    def parent(self) -> str:
        return str(self.said.get("parentSpanId", ""))

    @property
    def status(self) -> str:
        found = self.said.get("status", {}).get("code", "STATUS_CODE_UNSET")
        return str(found).removeprefix("STATUS_CODE_")

    @property
    def began(self) -> int:
        """Nanoseconds."""
        return int(self.said["startTimeUnixNano"])

    @property
    def ended(self) -> int:
        return int(self.said["endTimeUnixNano"])

    @property
    def links(self) -> list[tuple[str, str]]:
        """The traces and spans that it refers to."""
        return [(link["traceId"], link["spanId"]) for link in self.said.get("links", ())]

    @property
    def attributes(self) -> dict[str, str]:
        return attributes(self.said)


def attributes(said: dict[str, Any]) -> dict[str, str]:
    """Return the attributes of anything, each value as text."""
    return {
        pair["key"]: str(next(iter(pair["value"].values()), ""))
        for pair in said.get("attributes", ())
    }


@dataclass(frozen=True)
class Receiver:
    """A running one. Read it once whoever exports has ended."""

    address: str
    file: Path

    def spans(self) -> list[Received]:
        found = [Received(said) for said in self._all("span")]
        return sorted(found, key=lambda span: span.began)

    def metrics(self) -> list[dict[str, Any]]:
        return self._all("metric")

    def logs(self) -> list[dict[str, Any]]:
        return self._all("log")

    def _all(self, signal: str) -> list[dict[str, Any]]:
        lines = map(json.loads, self.file.read_text().splitlines())
        return [line["said"] for line in lines if line["signal"] == signal]


@contextmanager
def receiving(home: Path) -> Iterator[Receiver]:
    """Run one, with its socket and its file in ``home``."""
    socket, file = home / "otlp.sock", home / "otlp.json"
    command = [sys.executable, "-m", __name__, str(socket), str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().strip() == _READY
            yield Receiver(f"unix://{socket}", file)
        finally:
            process.terminate()
            process.wait(_END_WITHIN)
            socket.unlink(missing_ok=True)


class _Spans(trace_services.TraceServiceServicer):
    def __init__(self, out: TextIO) -> None:
        self._out = out

    async def Export(  # noqa: N802  # the protocol's name
        self, request: traces.ExportTraceServiceRequest, context: object
    ) -> traces.ExportTraceServiceResponse:
        each = (s for r in request.resource_spans for s in r.scope_spans)
        _write(self._out, "span", (span for scope in each for span in scope.spans))
        return traces.ExportTraceServiceResponse()


class _Metrics(metric_services.MetricsServiceServicer):
    def __init__(self, out: TextIO) -> None:
        self._out = out

    async def Export(  # noqa: N802  # the protocol's name
        self, request: metrics.ExportMetricsServiceRequest, context: object
    ) -> metrics.ExportMetricsServiceResponse:
        each = (s for r in request.resource_metrics for s in r.scope_metrics)
        _write(self._out, "metric", (metric for scope in each for metric in scope.metrics))
        return metrics.ExportMetricsServiceResponse()


class _Logs(log_services.LogsServiceServicer):
    def __init__(self, out: TextIO) -> None:
        self._out = out

    async def Export(  # noqa: N802  # the protocol's name
        self, request: logs.ExportLogsServiceRequest, context: object
    ) -> logs.ExportLogsServiceResponse:
        each = (s for r in request.resource_logs for s in r.scope_logs)
        _write(self._out, "log", (record for scope in each for record in scope.log_records))
        return logs.ExportLogsServiceResponse()


def _write(out: TextIO, signal: str, messages: Iterable[Message]) -> None:
    for message in messages:
        said = MessageToDict(message)
        for name in ("traceId", "spanId", "parentSpanId"):
            _as_hexadecimal(message, said, name)
        for link, linked in zip(said.get("links", ()), getattr(message, "links", ()), strict=True):
            _as_hexadecimal(linked, link, "traceId")
            _as_hexadecimal(linked, link, "spanId")
        out.write(json.dumps({"signal": signal, "said": said}) + "\n")
    out.flush()


def _as_hexadecimal(message: Any, said: dict[str, Any], name: str) -> None:
    field = {"traceId": "trace_id", "spanId": "span_id", "parentSpanId": "parent_span_id"}[name]
    if value := getattr(message, field, b""):
        said[name] = value.hex()


async def _serve(socket: str, file: Path) -> None:
    with file.open("w") as out:
        server = grpc.aio.server(options=_OPTIONS)
        trace_services.add_TraceServiceServicer_to_server(_Spans(out), server)  # type: ignore[no-untyped-call]
        metric_services.add_MetricsServiceServicer_to_server(_Metrics(out), server)  # type: ignore[no-untyped-call]
        log_services.add_LogsServiceServicer_to_server(_Logs(out), server)  # type: ignore[no-untyped-call]
        server.add_insecure_port(f"unix:{socket}")
        await server.start()
        print(_READY, flush=True)
        await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], Path(sys.argv[2])))
