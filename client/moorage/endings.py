"""How a call ended that was still being written to.

When a server answers before it has read everything, the next write fails, and grpc.aio then
replaces the server's status by an INTERNAL of its own (grpc/grpc#36066). So the status is
noted at the moment when it is set.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from grpc.aio import AioRpcError

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from grpc.aio import StreamUnaryCall

_REPLACED: Final = "Internal error from Core"
"""What grpc.aio says instead."""
_PAUSES: Final = (0.0, 0.001, 0.01, 0.1, 0.4)
"""Seconds in which the server's status comes after all, where the write failed first."""


class Ending:
    def __init__(self, call: StreamUnaryCall[Any, Any]) -> None:
        self._call = call
        self._noted: AioRpcError | None = None
        call.add_done_callback(self._note)

    async def status(self, raised: AioRpcError) -> AioRpcError:
        """Return what the server said, where ``raised`` is what the call raises."""
        if raised.details() != _REPLACED:
            return raised
        if self._noted is not None and self._noted.details() != _REPLACED:
            return self._noted
        for pause in _PAUSES:
            await asyncio.sleep(pause)
            if await self._call.details() != _REPLACED:
                return await _status(self._call)
        return raised

    def _note(self, call: Any) -> None:
        self._noted = _at_once(_status(call))


async def _status(call: StreamUnaryCall[Any, Any]) -> AioRpcError:
    return AioRpcError(
        await call.code(),
        await call.initial_metadata(),
        await call.trailing_metadata(),
        details=await call.details(),
    )


def _at_once(answer: Coroutine[Any, Any, AioRpcError]) -> AioRpcError | None:
    """Return what ``answer`` has without waiting; None if it would have to wait."""
    try:
        answer.send(None)
    except StopIteration as done:
        found: AioRpcError = done.value
        return found
    answer.close()
    return None
