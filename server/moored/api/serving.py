"""How every call is answered: its trace, its span, its error, its line in the log.

One wrapper around each method of a servicer instead of the ready-made server
instrumentation, which calls an aborted, a cancelled and a late call a success.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self

import grpc
from google.protobuf import message_factory
from google.protobuf.message import DecodeError
from grpc_status import rpc_status
from loguru import logger
from opentelemetry import propagate
from opentelemetry.trace import SpanKind, Status, StatusCode, format_trace_id

from moored import errors
from moored.api import phrasebook
from moored.api.asked import refuse_unknown
from moored.api.once import FIELD, Mark, Once, named, serialise

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

    from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
    from google.protobuf.message import Message
    from opentelemetry.trace import Span, Tracer

    from moored.api.draining import Draining
    from moored.requests import Requests
    from moored.telemetry.measures import Measures

_SERVER_FAULTS: Final = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)
"""The codes that make a server's span an error, by OpenTelemetry's convention for RPC."""
_QUIET: Final = frozenset({"Inspect", "InspectExec", "List", "ListExecs", "GetServerInfo"})
"""Methods whose success is logged for debugging only: they are asked all the time."""

_CHANGING: Final = frozenset({"Exec", "Import", "Remove"})
"""Methods that are refused while the server drains, beside all that take a request_id: reading
goes on to the end."""
_MARKED: Final = frozenset(
    {
        "moorage.v1.ContainerService/Create",
        "moorage.v1.ContainerService/Start",
        "moorage.v1.VolumeService/Create",
    }
)
"""Methods that put a named request on record with what they make or start."""

Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True)
class Desk:
    """Builds the handlers of a service from the methods of its servicer."""

    tracer: Tracer
    draining: Draining
    requests: Requests
    measures: Measures
    mark: Callable[[bytes], bytes]
    """Stands for a secret in what is remembered of a request."""

    def handlers(self, service: ServiceDescriptor, servicer: object) -> grpc.GenericRpcHandler:
        """Return handlers that answer each method of ``service`` by the servicer's of its name."""
        return grpc.method_handlers_generic_handler(
            service.full_name,
            {
                method.name: self._handler(service, method, getattr(servicer, method.name))
                for method in service.methods
            },
        )

    def _handler(
        self, service: ServiceDescriptor, method: MethodDescriptor, answer: Callable[..., Any]
    ) -> grpc.RpcMethodHandler[Any, Any]:
        kind = message_factory.GetMessageClass(method.input_type)
        call = _Call(self, service.full_name, method.name, kind)
        make: Any
        if method.server_streaming and method.client_streaming:
            make, serve = grpc.stream_stream_rpc_method_handler, call.exchange(answer)
        elif method.server_streaming:
            make, serve = grpc.unary_stream_rpc_method_handler, call.stream(answer)
        elif method.client_streaming:
            make, serve = grpc.stream_unary_rpc_method_handler, call.unary(answer, streamed=True)
        else:
            make, serve = grpc.unary_unary_rpc_method_handler, call.unary(answer)
        handler: grpc.RpcMethodHandler[Any, Any] = make(
            # Requests are read inside: what cannot be read gets an answer like any other.
            serve,
            request_deserializer=None,
            response_serializer=serialise,
        )
        return handler


@dataclass(frozen=True)
class _Call:
    desk: Desk
    service: str
    method: str
    kind: type[Message]

    @property
    def full_name(self) -> str:
        return f"{self.service}/{self.method}"

    def unary(self, answer: Callable[..., Awaitable[Any]], *, streamed: bool = False) -> Any:
        async def serve(request: Any, context: Context) -> Any:
            async with _Answering(self, context) as answering:
                self._admit(lasting=False)
                if streamed:
                    return await answer(self._each(request), context)
                asked = self._read(request)
                answering.container = getattr(asked, "container", "")
                return await self._answer(answer, asked, context)

        return serve

    async def _answer(
        self, answer: Callable[..., Awaitable[Any]], asked: Message, context: Context
    ) -> Any:
        """Answer a request; one that names itself at most once."""
        request = named(self.full_name, asked, self.desk.mark)
        if request is None:
            return await answer(asked, context)

        async def marked(mark: Mark) -> Any:
            if self.full_name in _MARKED:
                return await answer(asked, context, mark)
            return await answer(asked, context)

        return await self.desk.requests.once(request, Once(marked, request))

    def stream(self, answer: Callable[..., AsyncGenerator[Any, None]]) -> Any:
        async def serve(request: Any, context: Context) -> None:
            async with _Answering(self, context) as answering:
                self._admit(lasting=True)
                asked = self._read(request)
                answering.container = getattr(asked, "container", "")
                # Written here and not yielded: a call that is cut short while it writes would
                # leave a generator to the garbage collector, and its span with it.
                async with aclosing(answer(asked, context)) as parts:
                    async for part in parts:
                        await context.write(part)

        return serve

    def exchange(self, answer: Callable[..., AsyncGenerator[Any, None]]) -> Any:
        async def serve(requests: AsyncIterator[bytes], context: Context) -> None:
            async with _Answering(self, context):
                self._admit(lasting=True)
                async with aclosing(answer(self._each(requests), context)) as parts:
                    async for part in parts:
                        await context.write(part)

        return serve

    def _admit(self, *, lasting: bool) -> None:
        changing = self.method in _CHANGING or FIELD in self.kind.DESCRIPTOR.fields_by_name
        self.desk.draining.admit(changing=changing, lasting=lasting)

    def _read(self, request: bytes) -> Message:
        """Return what was sent, if it is a message and holds nothing that we do not know."""
        try:
            message = self.kind.FromString(request)
        except DecodeError as error:
            why = f"is no {self.kind.DESCRIPTOR.full_name}"
            raise errors.InvalidField(
                f"cannot read request: it {why}", errors.Violation("", why)
            ) from error
        refuse_unknown(message)
        return message

    async def _each(self, requests: AsyncIterator[bytes]) -> AsyncIterator[Message]:
        async for request in requests:
            yield self._read(request)


class _Answering:
    """The span and the outcome of one call, as an asynchronous context."""

    def __init__(self, call: _Call, context: Context) -> None:
        self._call = call
        self._context = context
        self.container = ""
        """The reference in the request, for the log."""
        self.reason = ""
        """Why it was refused, as its caller is told."""
        self._began = perf_counter()

    async def __aenter__(self) -> Self:
        call = self._call
        metadata = self._context.invocation_metadata() or ()
        carrier = dict(metadata)
        self._scope = call.desk.tracer.start_as_current_span(
            f"{call.service}/{call.method}",
            context=propagate.extract(carrier),
            kind=SpanKind.SERVER,
            attributes={
                "rpc.system": "grpc",
                "rpc.service": call.service,
                "rpc.method": call.method,
            },
            record_exception=False,
            set_status_on_exception=False,
        )
        self._span: Span = self._scope.__enter__()
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._call.desk.draining.leave()
        try:
            if error is None:
                self._end(grpc.StatusCode.OK, "")
            elif isinstance(error, asyncio.CancelledError) and self._is_awaited():
                # Nobody but us ends a call whose caller is still there.
                await self._abort(errors.ShuttingDown("cannot go on: the server is shutting down"))
            elif isinstance(error, asyncio.CancelledError | GeneratorExit):
                self._end(self._cut_short(), "")
            elif isinstance(error, Exception):
                await self._abort(error)
        finally:
            self._scope.__exit__(None, None, None)

    def _is_awaited(self) -> bool:
        return self._call.desk.draining.on and not self._context.done()

    def _cut_short(self) -> grpc.StatusCode:
        late = self._context.time_remaining() == 0  # None, whatever its stub says: no deadline
        return grpc.StatusCode.DEADLINE_EXCEEDED if late else grpc.StatusCode.CANCELLED

    async def _abort(self, error: Exception) -> NoReturn:
        code, status = phrasebook.phrase(error)
        reason = phrasebook.reason(error)
        if reason == phrasebook.BUG:
            logger.opt(exception=error).error("a defect in {}", self._call.method)
        self._span.set_attribute("error.type", reason)
        self.reason = reason
        if isinstance(error, errors.MooredError):
            self.container = error.facts.get("container", self.container)
        self._end(code, str(error))
        await self._context.abort_with_status(rpc_status.to_status(status))
        raise AssertionError("abort always raises")

    def _end(self, code: grpc.StatusCode, why: str) -> None:
        number, name = code.value
        self._span.set_attribute("rpc.grpc.status_code", number)
        cancelled = code is grpc.StatusCode.CANCELLED
        if code in _SERVER_FAULTS or cancelled:
            self._span.set_status(Status(StatusCode.ERROR, why or name))
        took, call = perf_counter() - self._began, self._call
        call.desk.measures.call(call.service, call.method, code.name, self.reason, took)
        level = "DEBUG" if self._call.method in _QUIET and not why else "INFO"
        logger.bind(
            method=self._call.method,
            container=self.container,
            code=code.name,
            seconds=round(took, 6),
            trace_id=format_trace_id(self._span.get_span_context().trace_id),
        ).log(level, "{} {}{}", self._call.method, code.name, f": {why}" if why else "")
