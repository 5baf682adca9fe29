"""The law: log lines leave by OTLP where that is asked for by name, with their traces and facts."""

from __future__ import annotations

import io
import logging as logging_of_libraries
from typing import TYPE_CHECKING

import pytest
from loguru import logger
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider

from moored.errors import SetupRefused
from moored.telemetry import log_export, logging
from moored.telemetry.log_export import LogExport

if TYPE_CHECKING:
    from collections.abc import Iterator

WORD = "hush"
ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}


@pytest.fixture
def exported() -> Iterator[InMemoryLogRecordExporter]:
    exporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    logging.configure("text", "info", io.StringIO(), also=LogExport(provider).sink)
    yield exporter
    logger.remove()


def test_a_line_has_its_level_its_facts_and_its_trace(exported: InMemoryLogRecordExporter) -> None:
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    with tracer.start_as_current_span("start") as span:
        logger.bind(container="abc", run=2).warning("it {}", "leaks")
    (record,) = [each.log_record for each in exported.get_finished_logs()]
    assert (record.body, record.severity_text) == ("it leaks", "WARNING")
    assert record.severity_number is not None
    assert record.severity_number.value == 13
    assert record.trace_id == span.get_span_context().trace_id
    assert record.span_id == span.get_span_context().span_id
    assert record.attributes is not None
    assert (record.attributes["container"], record.attributes["run"]) == ("abc", 2)
    assert "trace_id" not in record.attributes


def test_an_exception_is_told_without_the_values_of_variables(
    exported: InMemoryLogRecordExporter,
) -> None:
    def fail(secret: str) -> None:
        raise LookupError(len(secret))

    try:
        fail(WORD)
    except LookupError:
        logger.exception("it failed")
    (record,) = [each.log_record for each in exported.get_finished_logs()]
    assert record.attributes is not None
    assert record.attributes["exception.type"] == "LookupError"
    assert "hush" not in str(record.attributes["exception.stacktrace"])


def test_what_is_not_heard_is_not_exported(exported: InMemoryLogRecordExporter) -> None:
    logger.debug("unheard")
    assert exported.get_finished_logs() == ()


def test_what_the_exporter_says_of_itself_is_not_exported(
    exported: InMemoryLogRecordExporter,
) -> None:
    logging_of_libraries.getLogger("opentelemetry.exporter").error("retrying")
    assert exported.get_finished_logs() == ()


@pytest.mark.parametrize(
    "environ",
    [{}, ENDPOINT, {**ENDPOINT, "OTEL_LOGS_EXPORTER": "none"}],
    ids=["nothing", "an endpoint alone", "none"],
)
def test_nobody_who_asks_by_name_means_no_export(environ: dict[str, str]) -> None:
    export = log_export.build("1", "x", environ)
    assert export.sink is None
    assert export.shutdown()


@pytest.mark.parametrize(
    "environ",
    [
        {"OTEL_LOGS_EXPORTER": "console"},
        {"OTEL_LOGS_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"},
    ],
)
def test_an_exporter_that_is_not_served_is_refused(environ: dict[str, str]) -> None:
    with pytest.raises(SetupRefused, match="cannot export logs by OTEL_"):
        log_export.build("1", "x", environ)
