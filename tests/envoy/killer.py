"""What lies between Envoy and moored and breaks: a proxy that resets connections under calls.

It cuts where it hurts: an answer has come from moored, and is not passed on.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_CHUNK: Final = 1 << 16
_SEED: Final = 7


class Killer:
    def __init__(self, upstream: tuple[str, int], percent: float) -> None:
        self.cuts = 0
        self.place: tuple[str, int] = ("127.0.0.1", 0)
        """Where it listens."""
        self._upstream = upstream
        self._chance = random.Random(_SEED)
        self._percent = percent

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what comes, both ways, until either side ends it or it is cut."""
        try:
            answers, asking = await asyncio.open_connection(*self._upstream)
        except OSError:  # moored is about to be there again
            writer.transport.abort()
            return
        ways = [
            asyncio.create_task(self._pass(reader, asking, safe=True)),
            asyncio.create_task(self._pass(answers, writer, safe=False)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for transport in (writer.transport, asking.transport):
                transport.abort()
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, safe: bool
    ) -> None:
        while chunk := await reader.read(_CHUNK):
            if not safe and self._chance.random() * 100 < self._percent:
                self.cuts += 1
                return
            writer.write(chunk)
            await writer.drain()


@asynccontextmanager
async def killing(upstream: tuple[str, int], percent: float) -> AsyncIterator[Killer]:
    """Listen in front of ``upstream``, and reset its connection at so many of 100 answers."""
    killer = Killer(upstream, percent)
    server = await asyncio.start_server(killer.serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    killer.place = (host, port)
    try:
        yield killer
    finally:
        server.close()
