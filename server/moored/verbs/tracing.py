"""One span around a whole verb, which says so when it was cancelled."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from opentelemetry.trace import Status, StatusCode

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    from opentelemetry.trace import Span, Tracer

    from moored.model.state import Snapshot

T = TypeVar("T")


async def traced(tracer: Tracer, name: str, work: Coroutine[Any, Any, T]) -> T:
    with span_of(tracer, name):
        return await work


@contextmanager
def span_of(tracer: Tracer, name: str) -> Iterator[Span]:
    with tracer.start_as_current_span(name) as span:
        try:
            yield span
        except asyncio.CancelledError:  # the SDK records Exceptions only
            span.set_status(Status(StatusCode.ERROR, "cancelled"))
            raise


def describe(span: Span, snapshot: Snapshot) -> None:
    """Say on a verb's span which container it is about, in OpenTelemetry's own words."""
    spec = snapshot.spec
    labels = {f"container.label.{key}": value for key, value in spec.labels.items()}
    image = {"container.image.name": snapshot.image.name}
    span.set_attributes(
        {"container.id": snapshot.id, "container.name": spec.name, **image, **labels}
    )
