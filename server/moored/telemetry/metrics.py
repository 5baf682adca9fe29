"""Metrics: measured only where somebody collects, by OTLP as the standard OTEL_* environment
says, or by an endpoint for Prometheus.

The exporters are imported only where they are wanted: they are slow to import.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from opentelemetry.metrics import NoOpMeterProvider

from moored.errors import SetupRefused
from moored.telemetry.exporting import SHUTDOWN_LIMIT, ended, wants_otlp
from moored.telemetry.tracing import SERVICE, resource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.metrics import Meter
    from opentelemetry.sdk.metrics.export import MetricReader


_INSTEAD: Final = "; for Prometheus there is --metrics-listen"


@dataclass
class Metering:
    meter: Meter
    endings: list[Callable[[], object]] = field(default_factory=list)

    def shutdown(self, within: float = SHUTDOWN_LIMIT) -> bool:
        """Export what is left, and return whether that ended ``within`` seconds."""
        return ended(self._end, "last-metrics", within)

    def _end(self) -> None:
        for end in reversed(self.endings):
            end()


def configure(service_version: str, instance: str, listen: str) -> Metering:
    """Begin to measure as this process's environment wants it, for Prometheus at ``listen``."""
    return build(service_version, instance, listen, os.environ)


def build(service_version: str, instance: str, listen: str, environ: Mapping[str, str]) -> Metering:
    """``listen`` is HOST:PORT, or empty for no endpoint. Raises SetupRefused."""
    pushes = wants_otlp("metrics", environ, instead=_INSTEAD)
    if not (pushes or listen):
        return Metering(NoOpMeterProvider().get_meter(SERVICE))
    from opentelemetry.sdk.metrics import MeterProvider  # slow

    endings: list[Callable[[], object]] = []
    readers: list[MetricReader] = []
    if listen:
        readers.append(_served(listen, endings))
    if pushes:
        readers.append(_pushed())
    provider = MeterProvider(
        metric_readers=readers,
        resource=resource(service_version, instance),
        shutdown_on_exit=False,  # it would wait for a collector without any limit
    )
    endings.append(provider.shutdown)
    return Metering(provider.get_meter(SERVICE, service_version), endings)


def _pushed() -> MetricReader:
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import (  # slow
        OTLPMetricExporter,
    )
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    return PeriodicExportingMetricReader(OTLPMetricExporter())


def _served(listen: str, endings: list[Callable[[], object]]) -> MetricReader:
    from opentelemetry.exporter.prometheus import PrometheusMetricReader  # slow
    from prometheus_client import CollectorRegistry, start_http_server

    registry = CollectorRegistry()
    host, _, port = listen.rpartition(":")
    try:
        server, thread = start_http_server(int(port), host.strip("[]"), registry)
    except OSError as error:
        raise SetupRefused(
            f"cannot serve metrics at {listen!r}: {error.strerror or error}"
        ) from error

    def end() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    endings.append(end)
    return PrometheusMetricReader(registry=registry)
