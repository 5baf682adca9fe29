"""Between moored and its containerd: passes every call on, but for one that a test wants lost.

It knows no message: calls are bytes in both directions, whatever they mean. A lost request
never reaches containerd, a lost reply never leaves it, and whoever called waits until its own
limit. It serves from a thread of its own, so that tests may wait beside it.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeAlias

import grpc
import grpc.aio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

Loss: TypeAlias = Literal["request", "reply"]

_BEGIN_WITHIN: Final = 10.0
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.so_reuseport", 0),
)


class Proxy(grpc.GenericRpcHandler):
    """Listens on ``socket`` while it is entered, and calls the containerd at ``behind``."""

    def __init__(self, socket: Path, behind: str) -> None:
        self.socket: Final = str(socket)
        self._behind = behind
        self._losing: tuple[str, Loss] | None = None
        self._lock = threading.Lock()
        self._heard: list[str] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy")
        self._server: grpc.aio.Server | None = None
        self._channel: grpc.aio.Channel | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._begin(), self._loop).result(_BEGIN_WITHIN)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(_BEGIN_WITHIN)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_BEGIN_WITHIN)
        self._loop.close()

    def lose(self, what: Loss, call: str) -> None:
        """Lose the next ``call``, named as ``Tasks.Create``."""
        with self._lock:
            self._losing = (call, what)

    def has_lost(self) -> bool:
        """Whether that call came since."""
        with self._lock:
            return self._losing is None

    def heard(self) -> set[str]:
        """Return what was called since this was asked last."""
        with self._lock:
            heard, self._heard = self._heard, []
        return set(heard)

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        async def passed_on(
            requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext[bytes, bytes]
        ) -> AsyncIterator[bytes]:
            async for reply in self._pass(handler_call_details.method, requests, context):
                yield reply

        return grpc.stream_stream_rpc_method_handler(passed_on)

    async def _begin(self) -> None:
        self._channel = grpc.aio.insecure_channel(f"unix:{self._behind}", options=_OPTIONS)
        self._server = grpc.aio.server(options=_OPTIONS)
        self._server.add_generic_rpc_handlers((self,))
        self._server.add_insecure_port(f"unix:{self.socket}")
        await self._server.start()

    async def _end(self) -> None:
        assert self._server is not None
        assert self._channel is not None
        await self._server.stop(0)
        await self._channel.close()

    async def _pass(
        self,
        method: str,
        requests: AsyncIterator[bytes],
        context: grpc.aio.ServicerContext[bytes, bytes],
    ) -> AsyncIterator[bytes]:
        """Yield what containerd replies to one call."""
        loss = self._take(_name(method))
        if loss == "request":
            await asyncio.Event().wait()
        call = self._call(method, requests, context)
        try:
            async for reply in call:
                if loss is None:
                    yield reply
        except grpc.aio.AioRpcError as error:
            if loss is None:
                await context.abort(error.code(), error.details() or "")
        finally:
            call.cancel()
        if loss is not None:
            await asyncio.Event().wait()

    def _call(
        self,
        method: str,
        requests: AsyncIterator[bytes],
        context: grpc.aio.ServicerContext[bytes, bytes],
    ) -> grpc.aio.StreamStreamCall[bytes, bytes]:
        assert self._channel is not None
        given: Any = context.invocation_metadata() or ()
        metadata = tuple((key, value) for key, value in given if key != "user-agent")
        rpc: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = self._channel.stream_stream(method)
        return rpc(requests, metadata=metadata, timeout=context.time_remaining())

    def _take(self, name: str) -> Loss | None:
        with self._lock:
            self._heard.append(name)
            if self._losing is None or self._losing[0] != name:
                return None
            loss, self._losing = self._losing[1], None
        return loss


def _name(method: str) -> str:
    """Return ``Tasks.Create`` for ``/containerd.services.tasks.v1.Tasks/Create``."""
    service, _, call = method.rpartition("/")
    return f"{service.rpartition('.')[2]}.{call}"
