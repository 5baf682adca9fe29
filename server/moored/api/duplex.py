"""A call that is read and written at once: requests are obeyed while responses are made.

Law: whichever side fails ends the call, and is what the caller hears; the end of the requests
ends nothing; when this has ended both have.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, TypeVar

from moored.api import asked

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
    from typing import Any

    from google.protobuf.message import Message

T = TypeVar("T")
M = TypeVar("M", bound="Message")


async def first(requests: AsyncIterator[M]) -> M:
    """Return the first request, whose part has to be ``start``."""
    async for request in requests:
        if request.WhichOneof("part") != "start":
            raise asked.refused("start", "has to come first")
        return request
    raise asked.refused("start", "is required")


async def both(
    responses: AsyncGenerator[T, None], obeying: Coroutine[Any, Any, None]
) -> AsyncGenerator[T, None]:
    """Yield ``responses`` while ``obeying`` goes on."""
    obedience = asyncio.create_task(obeying)
    try:
        async with aclosing(responses):
            while True:
                upcoming = asyncio.ensure_future(anext(responses, None))
                try:
                    await _one_of(upcoming, obedience)
                finally:
                    if not upcoming.done():
                        upcoming.cancel()
                        await asyncio.wait([upcoming])
                if (response := upcoming.result()) is None:
                    return
                yield response
    finally:
        obedience.cancel()
        await asyncio.wait([obedience])


async def _one_of(upcoming: asyncio.Future[Any], obedience: asyncio.Task[None]) -> None:
    """Return once there is a response. Raises what the obedience failed with before that."""
    if not obedience.done():
        await asyncio.wait([upcoming, obedience], return_when=asyncio.FIRST_COMPLETED)
    if obedience.done():
        obedience.result()
        await asyncio.wait([upcoming])
