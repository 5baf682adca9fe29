"""One call that is written and read at once.

Law: how it ended is told by reading. Writing to a call that the server has ended does nothing:
what it ended with is still to be read.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import grpc.aio
from google.protobuf.message import Message

from moorage.endings import Ending

if TYPE_CHECKING:
    from collections.abc import Callable

    from moorage.errors import MoorageError

Request = TypeVar("Request", bound=Message)
Reply = TypeVar("Reply", bound=Message)

_OVER: Final = (asyncio.InvalidStateError, grpc.aio.AioRpcError)
"""What writing raises once the call has ended."""


class Dialogue(Generic[Request, Reply]):
    def __init__(self, call: Any, meaning: Callable[[grpc.aio.AioRpcError], MoorageError]) -> None:
        self._call = call
        self._ending = Ending(call)
        self._meaning = meaning
        self._turn = asyncio.Lock()

    async def send(self, request: Request) -> None:
        """Write a request, as soon as the server takes it."""
        async with self._turn:  # gRPC takes one at a time
            try:
                await self._call.write(request)
            except _OVER:
                if not self._call.done():
                    raise

    async def finish(self) -> None:
        """Say that no more requests come."""
        async with self._turn:
            try:
                await self._call.done_writing()
            except _OVER:
                if not self._call.done():
                    raise

    async def receive(self) -> Reply | None:
        """Return the next reply; None: the server has ended the call, and well."""
        try:
            reply = await self._call.read()
        except grpc.aio.AioRpcError as error:
            status = await self._ending.status(error)
            raise self._meaning(status) from status
        if reply is grpc.aio.EOF:
            await self._well()
            return None
        received: Reply = reply
        return received

    def cancel(self) -> None:
        self._call.cancel()

    async def _well(self) -> None:
        """Raise what the call ended with, if that is an error."""
        code = await self._call.code()
        if code is not grpc.StatusCode.OK:
            status = grpc.aio.AioRpcError(
                code,
                await self._call.initial_metadata(),
                await self._call.trailing_metadata(),
                details=await self._call.details(),
            )
            raise self._meaning(status) from status
