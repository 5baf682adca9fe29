"""Log lines by OTLP, beside standard error: only where OTEL_LOGS_EXPORTER=otlp asks for it by name.

OpenTelemetry's SDK has this signal in a part that it does not call stable yet. All that we take of
it is in here.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from moored.telemetry.exporting import SHUTDOWN_LIMIT, ended, wants_otlp
from moored.telemetry.tracing import SERVICE, resource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from loguru import Message
    from opentelemetry.sdk._logs import LoggerProvider

_EXPORTER: Final = "OTEL_LOGS_EXPORTER"
_OWN_WORDS: Final = "opentelemetry"
"""Whatever the exporter says of itself is not exported: it would say so again, for ever."""
_SEVERITIES: Final = {
    "TRACE": 1, "DEBUG": 5, "INFO": 9, "SUCCESS": 10, "WARNING": 13, "ERROR": 17, "CRITICAL": 21,
}  # fmt: skip
"""OpenTelemetry's numbers of our levels."""
_SPOKEN_FOR: Final = frozenset({"trace_id", "span_id"})
"""What a record has of its own, from the span that is current."""


@dataclass(frozen=True)
class LogExport:
    provider: LoggerProvider | None = None

    @property
    def sink(self) -> Callable[[Message], None] | None:
        """What takes log lines; None where nobody wants them."""
        if self.provider is None:
            return None
        out, severities = self.provider.get_logger(SERVICE), _severities()
        unknown = severities["INFO"]

        def emit(message: Message) -> None:
            record = message.record
            if (record["name"] or "").startswith(_OWN_WORDS):
                return
            error = record["exception"]
            out.emit(
                timestamp=round(record["time"].timestamp() * 1e9),
                severity_number=severities.get(record["level"].name, unknown),
                severity_text=record["level"].name,
                body=record["message"],
                attributes=_attributes(record["name"], record["extra"]),
                exception=error.value if error else None,
            )

        return emit

    def shutdown(self, within: float = SHUTDOWN_LIMIT) -> bool:
        """Export what is left, and return whether that ended ``within`` seconds."""
        return self.provider is None or ended(self.provider.shutdown, "last-logs", within)


def configure(service_version: str, instance: str) -> LogExport:
    """Return what exports log lines as this process's environment wants it."""
    return build(service_version, instance, os.environ)


def build(service_version: str, instance: str, environ: Mapping[str, str]) -> LogExport:
    """Raises SetupRefused for an exporter or a protocol that is not served."""
    if not (wants_otlp("logs", environ) and environ.get(_EXPORTER, "").strip()):
        return LogExport()
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter  # slow
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    provider = LoggerProvider(resource(service_version, instance), shutdown_on_exit=False)
    provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    return LogExport(provider)


def _severities() -> dict[str, Any]:
    from opentelemetry._logs import SeverityNumber

    return {level: SeverityNumber(number) for level, number in _SEVERITIES.items()}


def _attributes(name: str | None, extra: Mapping[str, Any]) -> dict[str, Any]:
    said = {key: value for key, value in extra.items() if key not in _SPOKEN_FOR}
    plain = {
        key: value if isinstance(value, str | int | float | bool) else str(value)
        for key, value in said.items()
    }
    return {"logger": name or "", **plain}
