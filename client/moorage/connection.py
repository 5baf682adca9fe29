"""One channel to one moored, and how each call on it is made: its deadline, its error."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypedDict, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message

from moorage.addresses import target
from moorage.dialogues import Dialogue
from moorage.endings import Ending

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence

    from moorage.errors import MoorageError

Request = TypeVar("Request", bound=Message)
Reply = TypeVar("Reply", bound=Message)

_CHANNEL_OPTIONS: Final = (
    # A page of containers with their timelines is larger than gRPC's own limit of 4 MiB.
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
    # Finds a peer that is gone without a word; servers refuse pings more often than 5 minutes.
    ("grpc.keepalive_time_ms", 310_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.use_local_subchannel_pool", 1),
)

_ANSWERED: Final = (asyncio.InvalidStateError, grpc.aio.AioRpcError)
"""What writing to a call raises once the server has answered it: the answer says why."""


class CallOptions(TypedDict, total=False):
    """What gRPC takes with every call."""

    timeout: float | None
    """Seconds until the call is given up. None: never."""
    metadata: Sequence[tuple[str, str | bytes]]
    wait_for_ready: bool
    """Wait for a connection within the timeout, instead of failing at once without one."""


class Connection:
    def __init__(
        self,
        address: str,
        *,
        timeout: float | None,
        credentials: grpc.ChannelCredentials | None,
        options: Sequence[tuple[str, int | str]],
        interceptors: Sequence[grpc.aio.ClientInterceptor],
    ) -> None:
        self.address: Final = address
        self._timeout = timeout
        place, opened = target(address), [*_CHANNEL_OPTIONS, *options]
        if credentials is None:
            self.channel = grpc.aio.insecure_channel(place, opened, interceptors=interceptors)
        else:
            self.channel = grpc.aio.secure_channel(
                place, credentials, opened, interceptors=interceptors
            )

    async def ask(
        self,
        rpc: grpc.aio.UnaryUnaryMultiCallable[Request, Reply],
        request: Request,
        to: str,
        options: CallOptions,
        within: float | None,
    ) -> Reply:
        """Make one call, to do what the infinitive ``to`` says."""
        try:
            return await rpc(request, **self._completed(options, within))
        except grpc.aio.AioRpcError as error:
            raise self._meaning(error, to) from error

    async def follow(
        self,
        rpc: grpc.aio.UnaryStreamMultiCallable[Request, Reply],
        request: Request,
        to: str,
        options: CallOptions,
    ) -> AsyncGenerator[Reply, None]:
        """Yield what a server streams. Closing the iterator ends the call."""
        call = rpc(request, **self._completed(options, None))
        try:
            async for reply in call:
                yield reply
        except grpc.aio.AioRpcError as error:
            raise self._meaning(error, to) from error
        finally:
            call.cancel()

    async def send(
        self,
        rpc: grpc.aio.StreamUnaryMultiCallable[Request, Reply],
        requests: AsyncIterator[Request],
        to: str,
        options: CallOptions,
    ) -> Reply:
        """Stream ``requests`` until they end or the server has heard enough.

        An error of ``requests`` ends the call and is raised as it is.
        """
        call = rpc(**self._completed(options, None))
        ending = Ending(call)
        try:
            async for request in requests:
                await call.write(request)
            await call.done_writing()
        except BaseException as error:
            if not (call.done() and isinstance(error, _ANSWERED)):
                call.cancel()
                raise
        try:
            return await call
        except grpc.aio.AioRpcError as error:
            status = await ending.status(error)
            raise self._meaning(status, to) from status

    def converse(
        self,
        rpc: grpc.aio.StreamStreamMultiCallable[Request, Reply],
        to: str,
        options: CallOptions,
    ) -> Dialogue[Request, Reply]:
        """Begin a call that is written and read at once. Whoever has it cancels it at last."""
        call = rpc(**self._completed(options, None))
        return Dialogue(call, lambda error: self._meaning(error, to))

    def _completed(self, options: CallOptions, within: float | None) -> CallOptions:
        default = within if self._timeout is None else self._timeout
        completed: CallOptions = {"timeout": default, **options}
        return completed

    def _meaning(self, error: grpc.aio.AioRpcError, to: str) -> MoorageError:
        from moorage import refusals  # only once it is needed: it costs a tenth of a second

        return refusals.meaning(error, to, address=self.address)
