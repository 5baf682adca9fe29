"""One channel to one containerd, in one of its namespaces.

Calls wait for the connection within their own deadline, so that a containerd which restarts
costs a delay and not an error. Nothing is retried after a lost reply: whoever called knows
how to ask what happened.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message
from opentelemetry.trace import NoOpTracer

from moored import errors
from moored.containerd.spans import interceptors

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from opentelemetry.trace import Tracer

Request = TypeVar("Request", bound=Message)
Reply = TypeVar("Reply", bound=Message)

CALL_LIMIT: Final = 10.0
"""Seconds for a call that has no limit of its own, unless its connection has another."""
_UNTRACED: Final = NoOpTracer()
_PAUSE: Final = 0.02
"""Seconds between two tries to read."""
LARGEST_MESSAGE: Final = 16 * 1024 * 1024

_CHANNEL_OPTIONS: Final = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.max_receive_message_length", LARGEST_MESSAGE),
    # Each daemon its own connection, also where tests run two against one containerd.
    ("grpc.use_local_subchannel_pool", 1),
)


class Absent(errors.RuntimeRefused):
    """containerd knows nothing of that name. What that means is for the caller to say."""


class Present(errors.RuntimeRefused):
    """containerd has one of that name already."""


class Unmet(errors.RuntimeRefused):
    """containerd could, but not in this state."""


_REFUSALS: Final = {
    grpc.StatusCode.NOT_FOUND: Absent,
    grpc.StatusCode.ALREADY_EXISTS: Present,
    grpc.StatusCode.FAILED_PRECONDITION: Unmet,
    grpc.StatusCode.UNAVAILABLE: errors.RuntimeUnreachable,
    grpc.StatusCode.DEADLINE_EXCEEDED: errors.RuntimeUnreachable,
    grpc.StatusCode.CANCELLED: errors.RuntimeUnreachable,
}
"""The one table in which a code of containerd's gets a meaning; the rest is RuntimeRefused."""


_CONNECTION_LOST: Final = "Stream removed"
"""How gRPC itself, not containerd, tells UNKNOWN of a connection that broke under a call."""


class Connection:
    def __init__(
        self,
        address: str,
        *,
        namespace: str,
        call_limit: float = CALL_LIMIT,
        tracer: Tracer = _UNTRACED,
    ) -> None:
        """``tracer`` makes the spans of calls; without one they have none."""
        self.address: Final = address
        """A path of a unix socket."""
        self.namespace: Final = namespace
        self._call_limit = call_limit
        self._metadata = (("containerd-namespace", namespace),)
        self.channel: Final = grpc.aio.insecure_channel(
            f"unix:{address}",
            options=_CHANNEL_OPTIONS,
            interceptors=interceptors(tracer),
        )

    @property
    def call_limit(self) -> float:
        """Seconds for a call that has no limit of its own."""
        return self._call_limit

    async def close(self) -> None:
        await self.channel.close()

    async def unary(
        self,
        rpc: grpc.aio.UnaryUnaryMultiCallable[Request, Reply],
        request: Request,
        to: str,
        *,
        within: float | None = CALL_LIMIT,
        wait_for_ready: bool = True,
        **facts: str,
    ) -> Reply:
        """Call ``rpc`` for the purpose ``to``: an infinitive such as ``create task 'x.1'``.

        ``within`` None is for calls that end with their container; whoever makes one owns it.
        """
        try:
            return await rpc(
                request,
                metadata=self._metadata,
                timeout=self._limit(within),
                wait_for_ready=wait_for_ready,
            )
        except grpc.aio.AioRpcError as error:
            raise meaning(error, to, **facts) from error

    async def ask(
        self,
        rpc: grpc.aio.UnaryUnaryMultiCallable[Request, Reply],
        request: Request,
        to: str,
        **facts: str,
    ) -> Reply:
        """Call an ``rpc`` that only reads: a connection that breaks under it costs another try."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._call_limit
        while True:
            try:
                left = end - loop.time()
                return await self.unary(rpc, request, to, within=left, wait_for_ready=True, **facts)
            except errors.RuntimeUnreachable:
                if loop.time() + _PAUSE > end:
                    raise
            await asyncio.sleep(_PAUSE)  # a break is seen before the connection is closed

    async def stream(
        self,
        rpc: grpc.aio.UnaryStreamMultiCallable[Request, Reply],
        request: Request,
        to: str,
        *,
        within: float | None = CALL_LIMIT,
        **facts: str,
    ) -> AsyncGenerator[Reply, None]:
        """Yield the replies of a server stream; closing the iterator ends the call."""
        limit = self._limit(within)
        call = rpc(request, metadata=self._metadata, timeout=limit, wait_for_ready=True)
        try:
            async for reply in call:
                yield reply
        except grpc.aio.AioRpcError as error:
            raise meaning(error, to, **facts) from error
        finally:
            call.cancel()

    async def exchange(
        self,
        rpc: grpc.aio.StreamStreamMultiCallable[Request, Reply],
        requests: AsyncIterator[Request],
        to: str,
        *,
        within: float | None = CALL_LIMIT,
        **facts: str,
    ) -> AsyncGenerator[Reply, None]:
        """Yield the replies of a stream in both directions."""
        limit = self._limit(within)
        call = rpc(requests, metadata=self._metadata, timeout=limit, wait_for_ready=True)
        try:
            async for reply in call:
                yield reply
        except grpc.aio.AioRpcError as error:
            raise meaning(error, to, **facts) from error
        finally:
            call.cancel()

    def _limit(self, within: float | None) -> float | None:
        return self._call_limit if within == CALL_LIMIT else within


def meaning(error: grpc.aio.AioRpcError, to: str, **facts: str) -> errors.MooredError:
    refusal = _REFUSALS.get(error.code(), errors.RuntimeRefused)
    why = error.details() or error.code().name.lower()
    if error.code() is grpc.StatusCode.UNKNOWN and why.startswith(_CONNECTION_LOST):
        refusal = errors.RuntimeUnreachable
    return refusal(f"cannot {to}: {why}", **facts)
