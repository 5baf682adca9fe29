"""Spans: always made, recorded and exported where the standard OTEL_* environment says so.

Without an exporter they still give a start its trace id and its callers their context. The
exporter is imported only where it is wanted: it is slow to import.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from opentelemetry import trace
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased

from moored.telemetry.exporting import SHUTDOWN_LIMIT, ended, wants_otlp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Tracer

SERVICE: Final = "moored"
_LARGEST_QUEUE: Final = 16384
"""Spans: more than a burst of starts makes until the next export."""


@dataclass(frozen=True)
class Tracing:
    provider: TracerProvider
    tracer: Tracer
    exports: bool

    def shutdown(self, within: float = SHUTDOWN_LIMIT) -> bool:
        """Export what is left, and return whether that ended ``within`` seconds."""
        return ended(self.provider.shutdown, "last-spans", within)


def configure(service_version: str, instance: str) -> Tracing:
    """Make the process's one tracer provider, as the environment wants it."""
    tracing = build(service_version, instance, os.environ)
    trace.set_tracer_provider(tracing.provider)
    return tracing


def build(service_version: str, instance: str, environ: Mapping[str, str]) -> Tracing:
    """Make a tracer provider of its own; ``environ`` says whether and how it exports."""
    exports = wants_otlp("traces", environ)
    provider = TracerProvider(
        resource=resource(service_version, instance),
        # What nobody exports need not be recorded; ids are given, and a caller's wish to
        # sample is passed on to containerd.
        sampler=None if exports else ParentBased(ALWAYS_OFF),
        shutdown_on_exit=False,  # it would wait for a collector without any limit
    )
    if exports:
        _export(provider, environ)
    return Tracing(provider, provider.get_tracer(SERVICE, service_version), exports)


def _export(provider: TracerProvider, environ: Mapping[str, str]) -> None:
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # slow

    queue = None if environ.get("OTEL_BSP_MAX_QUEUE_SIZE") else _LARGEST_QUEUE
    provider.add_span_processor(BatchSpanProcessor(_exporter(), max_queue_size=queue))


def _exporter() -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (  # slow
        OTLPSpanExporter,
    )

    return OTLPSpanExporter()


def resource(service_version: str, instance: str) -> Resource:
    host = os.uname().nodename
    ours = Resource.create(
        {
            "service.name": SERVICE,
            "service.version": service_version,
            "service.instance.id": f"{host}/{instance}",
            "host.name": host,
            "process.pid": os.getpid(),
        }
    )
    # OTELSERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES have the last word.
    return ours.merge(OTELResourceDetector().detect())
