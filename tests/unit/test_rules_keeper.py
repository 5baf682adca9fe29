"""The keeper of the rules looks when the kernel tells of a change, and survives what fails."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from moored import errors
from moored.keepers.rules import RulesKeeper

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

WITHIN = 10.0


@dataclass
class Edge:
    """Something that is readable when ``tell`` was called, until it is mended."""

    ends: tuple[int, int] = field(default_factory=os.pipe)
    mended: asyncio.Queue[bool] = field(default_factory=asyncio.Queue)
    broken: bool = False
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    def tell(self) -> None:
        os.write(self.ends[1], b".")

    async def watched(self) -> int:
        return self.ends[0]

    def mend(self, *, thoroughly: bool) -> None:
        os.read(self.ends[0], 100)
        self.loop.call_soon_threadsafe(self.mended.put_nowait, thoroughly)
        if self.broken:
            raise errors.NetworkFailed("cannot change nftables: no")

    def close(self) -> None:
        for end in self.ends:
            os.close(end)


@asynccontextmanager
async def kept(edge: Edge) -> AsyncIterator[None]:
    keeper = asyncio.create_task(RulesKeeper(edge).run())
    yield
    keeper.cancel()
    await asyncio.wait([keeper])
    edge.close()


async def test_what_the_kernel_tells_of_is_looked_at_each_time() -> None:
    edge = Edge()
    async with kept(edge), asyncio.timeout(WITHIN):
        for _ in range(2):
            edge.tell()
            assert await edge.mended.get() is False


async def test_a_look_that_fails_is_not_the_last() -> None:
    edge = Edge(broken=True)
    async with kept(edge), asyncio.timeout(WITHIN):
        for _ in range(2):
            edge.tell()
            await edge.mended.get()
