"""How long changes wait for a container that somebody else is at: told only where they do."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from time import perf_counter
from typing import TYPE_CHECKING

from opentelemetry import trace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.trace import Tracer

    from moored.telemetry.measures import Measures


class Waits:
    def __init__(self, tracer: Tracer, measures: Measures) -> None:
        self._tracer = tracer
        self._measures = measures

    @contextmanager
    def waiting(self) -> Iterator[None]:
        began = perf_counter()
        # A wait is no trace of its own.
        traced = trace.get_current_span().get_span_context().is_valid
        with self._tracer.start_as_current_span("claim") if traced else nullcontext():
            try:
                yield
            finally:
                self._measures.claim(perf_counter() - began)
