"""What goes wrong, as a script: written before the call, acted out when it comes.

A lost request never happened, a lost reply happened and nobody heard, a refused call is
answered by the script, a held one stops where it is until it is let go or given up. A call is
named as ``Tasks.Create``; ``Tasks.*`` and ``*`` match many. ``Content.Commit`` names the last
message of a Content.Write.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeAlias

import grpc
import grpc.aio
from google.protobuf.message import Message

from tests.fakes.refusals import Context, Refused, lost

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator


Loss: TypeAlias = Literal["request", "reply", "middle", "cleanup"]

ALWAYS: Final = 1_000_000
REACHED_WITHIN: Final = 10.0
_HALVED: Final = "Tasks.Create"
_INNER: Final = ("middle", "cleanup")
_NOUNS: Final = {"Content": "blob", "Diff": "layer", "Introspection": "plugins"}


class Hold:
    """Calls that stand still. Leaving the ``with`` block lets them go."""

    def __init__(self) -> None:
        self.waiting = 0
        self._arrived = asyncio.Event()
        self._left = asyncio.Event()
        self._gate = asyncio.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    async def reached(self, *, within: float = REACHED_WITHIN) -> None:
        """Return once a call stands here."""
        async with asyncio.timeout(within):
            await self._arrived.wait()

    async def left(self, *, within: float = REACHED_WITHIN) -> None:
        """Return once a call that stood here does so no more: let go, or given up."""
        async with asyncio.timeout(within):
            await self._left.wait()

    def release(self) -> None:
        """Let go whoever stands here, and whoever comes."""
        self._gate.set()

    async def stand(self) -> None:
        self.waiting += 1
        self._arrived.set()
        try:
            await self._gate.wait()
        finally:
            self.waiting -= 1
            self._left.set()


@dataclass
class Fault:
    call: str
    left: int
    losing: Loss | None = None
    refusal: Refused | None = None
    hold: Hold | None = None
    after: bool = False
    """A hold that comes once the deed is done."""

    async def before(self) -> Refused | None:
        """Stand where a hold says so, and return why the deed is not to be done."""
        if self.hold is not None and not self.after:
            await self.hold.stand()
        return lost() if self.losing == "request" else self.refusal

    async def afterwards(self) -> Refused | None:
        """The same once it is done: return why nobody is to hear of it."""
        if self.hold is not None and self.after:
            await self.hold.stand()
        return lost() if self.losing == "reply" else None


@dataclass
class Faults:
    """The script. ``tell`` hears of each fault that is acted out."""

    tell: Callable[[str], None]
    served: Callable[[], None] = lambda: None
    """Called after each call that was served."""
    _script: list[Fault] = field(default_factory=list)

    def lose(self, what: Loss, call: str, *, times: int = 1) -> None:
        """Lose the request, the reply, or for Tasks.Create what lies between.

        "middle" is containerd killed in mid-create: it knows of the shim when it is back, and
        the shim knows no task. "cleanup" is a bundle that containerd itself has forgotten.
        """
        if what in _INNER and call != _HALVED:
            raise ValueError(f"cannot lose the {what} of {call}: only {_HALVED} has one")
        self._script.append(Fault(call, times, losing=what))

    def refuse(
        self, call: str, code: grpc.StatusCode, details: str = "refused", *, times: int = 1
    ) -> None:
        self._script.append(Fault(call, times, refusal=Refused(code, details)))

    def hold(self, call: str, *, times: int = 1, after: bool = False) -> Hold:
        """Stop calls before their deed, or with ``after`` between the deed and its reply."""
        hold = Hold()
        self._script.append(Fault(call, times, hold=hold, after=after))
        return hold

    def forgive(self) -> None:
        """Forget what was scripted, and let go whoever is held."""
        for fault in self._script:
            if fault.hold is not None:
                fault.hold.release()
        self._script.clear()

    def halved(self, call: str, key: str) -> Loss | None:
        """Return how this call breaks off in its middle, if it was to."""
        for fault in self._matching(call):
            if fault.losing in _INNER:
                fault.left -= 1
                self.tell(f"!{_noun(call)} {key}")
                return fault.losing
        return None

    @asynccontextmanager
    async def around(self, call: str, key: str, context: Context) -> AsyncIterator[None]:
        """Act out what is scripted for ``call``, and put every refusal on the wire."""
        taken = [fault for fault in self._matching(call) if fault.losing not in _INNER]
        for fault in taken:
            fault.left -= 1
        refusal: Refused | None = None
        try:
            for fault in taken:
                self._strike(await fault.before(), call, key)
            try:
                yield
            except Refused as refused:
                refusal = refused
            for fault in taken:
                self._strike(await fault.afterwards(), call, key)
        except Refused as struck:
            refusal = struck
        self.served()
        if refusal is not None:
            await context.abort(refusal.code, refusal.details)

    def _strike(self, refusal: Refused | None, call: str, key: str) -> None:
        if refusal is not None:
            self.tell(f"!{_noun(call)} {key}".rstrip())
            raise refusal

    def _matching(self, call: str) -> Iterator[Fault]:
        return (f for f in self._script if f.left > 0 and fnmatchcase(call, f.call))


def _noun(call: str) -> str:
    """Name a call as stories do: Tasks.Create is ``task.create``."""
    service, _, method = call.partition(".")
    return f"{_NOUNS.get(service, service.lower().removesuffix('s'))}.{method.lower()}"


def _key(request: Message) -> str:
    """Return what a request is about, whichever field says so."""
    for inner in ("container", "image"):
        if isinstance(record := getattr(request, inner, None), Message):
            return _key(record)
    for name in ("container_id", "key", "id", "name", "digest", "topic"):
        if isinstance(value := getattr(request, name, None), str) and value:
            return value
    return ""


class Interceptor(grpc.aio.ServerInterceptor):
    """Every call passes here, whatever its shape."""

    def __init__(self, faults: Faults, heard: dict[str, str]) -> None:
        """``heard`` is told the trace context of the last call of each method."""
        self._faults = faults
        self._heard = heard

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        handler = await continuation(handler_call_details)
        service, _, method = str(handler_call_details.method).rpartition("/")
        call = f"{service.rpartition('.')[2]}.{method}"
        said = {str(key): str(value) for key, value in handler_call_details.invocation_metadata}
        self._heard[call] = said.get("traceparent", "")
        return None if handler is None else self._wrapped(handler, call)

    def _wrapped(self, handler: Any, call: str) -> Any:
        coding = {
            "request_deserializer": handler.request_deserializer,
            "response_serializer": handler.response_serializer,
        }

        async def one(request: Message, context: Context) -> Message:
            async with self._faults.around(call, _key(request), context):
                reply: Message = await handler.unary_unary(request, context)
            return reply

        async def many(request: Message, context: Context) -> AsyncIterator[Message]:
            async with self._faults.around(call, _key(request), context):
                async for reply in handler.unary_stream(request, context):
                    yield reply

        async def both(
            requests: AsyncIterator[Message], context: Context
        ) -> AsyncIterator[Message]:
            async with self._faults.around(call, "", context):
                async for reply in handler.stream_stream(requests, context):
                    yield reply

        if handler.request_streaming:
            return grpc.stream_stream_rpc_method_handler(both, **coding)
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(many, **coding)
        return grpc.unary_unary_rpc_method_handler(one, **coding)
