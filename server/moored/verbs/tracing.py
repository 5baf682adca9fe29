"""One span around a whole verb, which says so when it was cancelled."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from opentelemetry.trace import Status, StatusCode

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from opentelemetry.trace import Tracer

T = TypeVar("T")


async def traced(tracer: Tracer, name: str, work: Coroutine[Any, Any, T]) -> T:
    with tracer.start_as_current_span(name) as span:
        try:
            return await work
        except asyncio.CancelledError:  # the SDK records Exceptions only
            span.set_status(Status(StatusCode.ERROR, "cancelled"))
            raise
