"""The spans of the calls to containerd: below the step that makes them, or none at all.

The ready-made interceptors are used for streams. For the other calls they never end the span of
one that is cut short, which is the one that somebody looks for; here it ends as cancelled.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import grpc
import grpc.aio
from opentelemetry import propagate, trace
from opentelemetry.instrumentation.grpc import aio_client_interceptors
from opentelemetry.sdk.trace import Span as ReadableSpan
from opentelemetry.trace import SpanKind, Status, StatusCode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from opentelemetry.trace import Span, Tracer

_UNTRACED: Final = ("Wait", "Subscribe", "Publish")
"""A Wait lasts as long as its container, a Subscribe as long as we do; a marker says nothing."""


def interceptors(tracer: Tracer) -> Sequence[grpc.aio.ClientInterceptor]:
    """Return what makes the spans of a channel to containerd."""
    theirs = aio_client_interceptors(  # type: ignore[no-untyped-call]  # no stubs
        filter_=is_traced, request_hook=_named, response_hook=_named
    )
    streams = [
        each for each in theirs if not isinstance(each, grpc.aio.UnaryUnaryClientInterceptor)
    ]
    return [Unary(tracer), *streams]


def is_traced(details: Any) -> bool:
    """Return whether a call has a span: nothing that is asked in the background begins a trace."""
    named = _method(details).rpartition("/")[2] not in _UNTRACED
    return named and trace.get_current_span().get_span_context().is_valid


class Unary(grpc.aio.UnaryUnaryClientInterceptor):
    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    async def intercept_unary_unary(
        self,
        continuation: Callable[[grpc.aio.ClientCallDetails, Any], Awaitable[Any]],
        client_call_details: grpc.aio.ClientCallDetails,
        request: Any,
    ) -> Any:
        if not is_traced(client_call_details):
            return await continuation(client_call_details, request)
        service, _, method = _method(client_call_details).strip("/").rpartition("/")
        with self._tracer.start_as_current_span(
            f"{service}/{method}",
            kind=SpanKind.CLIENT,
            attributes={"rpc.system.name": "grpc", "rpc.method": f"{service}/{method}"},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            call = await continuation(_carrying(client_call_details), request)
            await _ended(call, span)
            return call


def _named(span: Span, _: object) -> None:
    """Call a stream of theirs as the other calls are called, once there is something of it."""
    if isinstance(span, ReadableSpan):
        span.update_name(span.name.removeprefix("/"))


async def _ended(call: Any, span: Span) -> None:
    try:
        code, details = await call.code(), await call.details()
    except asyncio.CancelledError:
        call.cancel()
        span.set_status(Status(StatusCode.ERROR, "cancelled"))
        raise
    span.set_attribute("rpc.response.status_code", code.name)
    if code is not grpc.StatusCode.OK:
        span.set_attribute("error.type", code.name)
        span.set_status(Status(StatusCode.ERROR, details or code.name))


def _carrying(details: grpc.aio.ClientCallDetails) -> grpc.aio.ClientCallDetails:
    """Return ``details`` with the trace context in their metadata."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    metadata = grpc.aio.Metadata(*(details.metadata or ()), *carrier.items())
    return grpc.aio.ClientCallDetails(
        details.method, details.timeout, metadata, details.credentials, details.wait_for_ready
    )


def _method(details: grpc.aio.ClientCallDetails) -> str:
    method: Any = details.method  # bytes, whatever its stub says
    return method.decode() if isinstance(method, bytes) else str(method)
