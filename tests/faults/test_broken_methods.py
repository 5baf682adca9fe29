"""The law: a method that breaks, or answers behind our back, is seen as its caller sees it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import grpc
import grpc.aio
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from moorage.v1 import container_service_pb2 as wire
from moored.api.callers import Callers
from moored.api.draining import Draining
from moored.api.serving import Desk
from moored.model.policy import Policy
from tests.fakes.measures import UNMEASURED
from tests.faults.endings import Told, told
from tests.faults.test_endings import listening, logged
from tests.real.wire import Wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from moored.api.answering import Context

SERVICE = wire.DESCRIPTOR.services_by_name["ContainerService"]


async def _breaks(_: object, __: Context) -> NoReturn:
    raise ValueError("a secret word")


async def _aborts(_: object, context: Context) -> NoReturn:
    await context.abort(grpc.StatusCode.DATA_LOSS, "gone")
    raise AssertionError


async def _aborts_and_goes_on(_: object, context: Context) -> wire.InspectResponse:
    try:
        await context.abort(grpc.StatusCode.DATA_LOSS, "gone")
    except grpc.aio.AbortError:
        return wire.InspectResponse()
    raise AssertionError


async def _breaks_at_once(_: object, __: Context) -> AsyncIterator[wire.WatchResponse]:
    raise ValueError("a secret word")
    yield wire.WatchResponse()


async def _breaks_later(_: object, __: Context) -> AsyncIterator[wire.WatchResponse]:
    yield wire.WatchResponse()
    raise ValueError("a secret word")


class Servicer:
    """Answers every method alike."""

    def __init__(self, method: Callable[..., Any]) -> None:
        self._method = method

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return self._method


@asynccontextmanager
async def served(
    home: Path, method: Callable[..., Any]
) -> AsyncIterator[tuple[Wire, InMemorySpanExporter]]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    once: Any = None  # nothing here is a named request
    desk = Desk(provider.get_tracer("test"), Draining(), once, UNMEASURED, bytes, Callers(Policy))
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((desk.handlers(SERVICE, Servicer(method)),))
    server.add_insecure_port(f"unix:{home}/b.sock")
    await server.start()
    try:
        async with Wire(f"unix://{home}/b.sock") as door:
            yield door, exporter
    finally:
        await server.stop(None)


async def _inspect(door: Wire) -> Told:
    return await told(door.inspect("web"))


async def _watch(door: Wire) -> Told:
    async def read() -> None:
        async for _ in door.containers.Watch(wire.WatchRequest()):
            pass

    return await told(read())


@pytest.mark.parametrize(
    ("method", "ask", "code", "reason"),
    [
        (_breaks, _inspect, "INTERNAL", "BUG"),
        (_breaks_at_once, _watch, "INTERNAL", "BUG"),
        (_breaks_later, _watch, "INTERNAL", "BUG"),
        (_aborts, _inspect, "DATA_LOSS", "DATA_LOSS"),
        (_aborts_and_goes_on, _inspect, "DATA_LOSS", "DATA_LOSS"),
    ],
)
async def test_all_say_the_same_of_a_method_that_breaks(
    home: Path, method: Callable[..., Any], ask: Callable[[Wire], Any], code: str, reason: str
) -> None:
    with listening() as out:
        async with served(home, method) as (door, exporter):
            answer: Told = await ask(door)
    [span] = exporter.get_finished_spans()
    assert (answer.code, answer.reason or code) == (code, reason)
    assert span.status.status_code.name == "ERROR"
    assert span.attributes is not None
    assert span.attributes["rpc.response.status_code"] == code
    assert span.attributes["error.type"] == reason
    assert span.events == ()
    [line] = logged(out.getvalue(), span.name)
    assert (line["code"], line["reason"], line["level"]) == (code, reason, "error")
