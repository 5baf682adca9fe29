"""The law: every start has a trace; the standard environment says where it is exported to."""

from __future__ import annotations

import os
import socket
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TYPE_CHECKING

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from moored.errors import SetupRefused
from moored.telemetry import tracing
from moored.telemetry.exporting import wants_otlp

if TYPE_CHECKING:
    from collections.abc import Iterator

_LIMIT = 10


class _Collector(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self) -> None:
        self.received: SimpleQueue[trace_service_pb2.ExportTraceServiceRequest] = SimpleQueue()

    def Export(  # noqa: N802  # the protocol's name
        self, request: trace_service_pb2.ExportTraceServiceRequest, context: grpc.ServicerContext
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        self.received.put(request)
        return trace_service_pb2.ExportTraceServiceResponse()


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Collector]:
    collector = _Collector()
    with ThreadPoolExecutor(1) as pool:
        server = grpc.server(pool)
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(  # type: ignore[no-untyped-call]
            collector, server
        )
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
        yield collector
        server.stop(grace=None).wait(_LIMIT)


def _build() -> tracing.Tracing:
    return tracing.build("1.2.3", "moorage", os.environ)


def test_without_a_collector_spans_still_have_a_trace() -> None:
    built = _build()
    with built.tracer.start_as_current_span("start") as span:
        assert span.get_span_context().is_valid
    assert not built.exports
    assert built.shutdown()


def test_spans_reach_the_collector_and_their_export_is_no_span(collector: _Collector) -> None:
    built = _build()
    with built.tracer.start_as_current_span("start"), built.tracer.start_as_current_span("start.x"):
        pass
    assert built.shutdown(_LIMIT)
    request = collector.received.get(timeout=_LIMIT)
    [resource] = request.resource_spans
    names = [span.name for scope in resource.scope_spans for span in scope.spans]
    assert sorted(names) == ["start", "start.x"]
    assert collector.received.empty()


def test_the_service_names_itself_unless_the_environment_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attributes = _build().provider.resource.attributes
    assert attributes["service.name"] == "moored"
    assert attributes["service.version"] == "1.2.3"
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.version=other,site=here")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "renamed")
    attributes = _build().provider.resource.attributes
    assert attributes["service.name"] == "renamed"
    assert attributes["service.version"] == "other"
    assert attributes["site"] == "here"


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:1"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x:1"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:1", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:1", "OTEL_SDK_DISABLED": "true"}, False),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            True,
        ),
    ],
)
def test_the_standard_environment_decides_on_the_export(
    environ: dict[str, str], *, wanted: bool
) -> None:
    assert wants_otlp("traces", environ) is wanted


@pytest.mark.parametrize(
    "environ",
    [
        {"OTEL_TRACES_EXPORTER": "zipkin"},
        {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"},
    ],
)
def test_an_export_that_is_not_served_is_refused(environ: dict[str, str]) -> None:
    with pytest.raises(SetupRefused, match="cannot export traces by OTEL_"):
        wants_otlp("traces", environ)


def test_a_disabled_sdk_makes_no_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    with _build().tracer.start_as_current_span("start") as span:
        assert not span.get_span_context().is_valid


def test_a_collector_that_never_answers_does_not_hold_up_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
        built = _build()
        with built.tracer.start_as_current_span("start"):
            pass
        assert not built.shutdown(within=0.05)
