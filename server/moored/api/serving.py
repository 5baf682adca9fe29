"""How every call comes in: who is let in, what it asks for, and that it counts once.

One wrapper around each method of a servicer instead of the ready-made server
instrumentation, which calls an aborted, a cancelled and a late call a success.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import grpc
from google.protobuf import message_factory
from google.protobuf.message import DecodeError

from moored import errors
from moored.api.answering import Answering, Stranger
from moored.api.asked import refuse_unknown
from moored.api.once import FIELD, Mark, Once, named, serialise

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

    from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
    from google.protobuf.message import Message
    from opentelemetry.trace import Tracer

    from moored.api.answering import Context
    from moored.api.callers import Callers
    from moored.api.draining import Draining
    from moored.requests import Requests
    from moored.telemetry.measures import Measures

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


@dataclass(frozen=True)
class Desk:
    """Builds the handlers of a service from the methods of its servicer."""

    tracer: Tracer
    draining: Draining
    requests: Requests
    measures: Measures
    mark: Callable[[bytes], bytes]
    """Stands for a secret in what is remembered of a request."""
    callers: Callers

    def handlers(self, service: ServiceDescriptor, servicer: object) -> grpc.GenericRpcHandler:
        """Return handlers that answer each method of ``service`` by the servicer's of its name."""
        return grpc.method_handlers_generic_handler(
            service.full_name,
            {
                method.name: self._handler(service, method, getattr(servicer, method.name))
                for method in service.methods
            },
        )

    def strangers(self) -> grpc.GenericRpcHandler:
        """Return the handler of every method that nobody else knows: to be added last."""
        return _Strangers(self)

    def answering(self, name: str, context: Context, asked: str = "") -> Answering:
        return Answering(
            name,
            context,
            tracer=self.tracer,
            measures=self.measures,
            draining=self.draining,
            asked=asked,
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
            async with self.desk.answering(self.full_name, context) as answering:
                self._admit(answering, lasting=False)
                if streamed:
                    return await answer(self._each(request), context)
                asked = self._read(request)
                answering.container = getattr(asked, "container", "")
                return await self._answer(answer, asked, answering)

        return serve

    async def _answer(
        self, answer: Callable[..., Awaitable[Any]], asked: Message, answering: Answering
    ) -> Any:
        """Answer a request; one that names itself at most once."""
        context = answering.context
        request = named(self.full_name, asked, self.desk.mark, answering.caller.role)
        if request is None:
            return await answer(asked, context)

        async def marked(mark: Mark) -> Any:
            if self.full_name in _MARKED:
                return await answer(asked, context, mark)
            return await answer(asked, context)

        return await self.desk.requests.once(request, Once(marked, request))

    def stream(self, answer: Callable[..., AsyncGenerator[Any, None]]) -> Any:
        async def serve(request: Any, context: Context) -> None:
            async with self.desk.answering(self.full_name, context) as answering:
                self._admit(answering, lasting=True)
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
            async with self.desk.answering(self.full_name, context) as answering:
                self._admit(answering, lasting=True)
                async with aclosing(answer(self._each(requests), context)) as parts:
                    async for part in parts:
                        await context.write(part)

        return serve

    def _admit(self, answering: Answering, *, lasting: bool) -> None:
        callers = self.desk.callers
        answering.know(callers.who(answering.context))
        callers.refuse(self.full_name, answering.caller)
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


class _Strangers(grpc.GenericRpcHandler):
    """Refuses what we do not serve as gRPC itself does, and lets it be seen.

    All go by one name: what strangers ask for has no end.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
        asked = str(details.method)

        async def refuse(_: AsyncIterator[bytes], context: Context) -> None:
            async with self._desk.answering("_OTHER", context, asked.lstrip("/")):
                raise Stranger

        return grpc.stream_stream_rpc_method_handler(refuse)
