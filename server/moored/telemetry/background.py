"""Work that nobody called for: a trace of its own, linked to the start that it follows from."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    format_span_id,
)

from moored.telemetry.concern import concerning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.trace import Span, Tracer


class Start(Protocol):
    """The part of a start's timeline that can be referred to."""

    @property
    def trace_id(self) -> str: ...
    @property
    def span_id(self) -> str: ...


def origin_of(span: Span) -> str:
    """Return the id by which what follows refers to ``span``; empty if nobody records it."""
    context = span.get_span_context()
    sampled = context.is_valid and context.trace_flags.sampled
    return format_span_id(context.span_id) if sampled else ""


def link_to(start: Start | None) -> Link | None:
    """Return the link to a start, if its trace was recorded."""
    if start is None or not start.span_id:
        return None
    return Link(
        SpanContext(
            int(start.trace_id, 16),
            int(start.span_id, 16),
            is_remote=False,
            trace_flags=TraceFlags(TraceFlags.SAMPLED),
        )
    )


@contextmanager
def background(
    tracer: Tracer, name: str, container: str = "", run: int = 0, start: Start | None = None
) -> Iterator[Span]:
    """Let what is within be the trace ``name``, about a run if one is given."""
    link = link_to(start)
    about: dict[str, str | int] = {}
    if container:
        about = {"container.id": container, "moorage.run": run}
    with (
        concerning(container, run),
        tracer.start_as_current_span(
            name,
            context=Context(),
            kind=SpanKind.INTERNAL,
            attributes=about,
            links=(link,) if link else (),
        ) as span,
    ):
        try:
            yield span
        except asyncio.CancelledError:  # the SDK records Exceptions only
            span.set_status(Status(StatusCode.ERROR, "cancelled"))
            raise
