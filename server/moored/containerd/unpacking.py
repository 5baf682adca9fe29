"""Unpack a layer under watch: it ends where it becomes more than its import may bring.

A blob of a few kilobytes can unpack to all that the disk has, and what it is compressed by, or
claims in its sparse files, need not be read to see that: the layer grows where containerd makes
it, and containerd says how large it is.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from moored import errors
from moored.containerd.values import Usage

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from moored.containerd.layers import Layers

Reply = TypeVar("Reply")

MOST_UNPACKED: Final = 20 * 2**30
"""Bytes that all layers of an import may unpack to, where nobody says how many."""
MOST_FILES: Final = 4_000_000
"""The same in files, directories and links."""
_LOOK_EVERY: Final = 0.5
"""Seconds between two looks, where one costs nothing."""
_RESTS_FOR: Final = 10
"""containerd counts file by file: for so many times as long as that took, nobody asks again."""


@dataclass
class Room:
    """What all layers of one import may take on disk, unpacked."""

    layers: Layers
    limit: int
    files: int = MOST_FILES
    _taken: Usage = field(default=Usage(0, 0), init=False)
    """By the layers that are done."""

    async def hold(self, key: str, work: Coroutine[Any, Any, Reply], *, digest: str) -> Reply:
        """Return what ``work`` does, which fills the layer ``key`` from the blob ``digest``.

        Raises ArchiveTooLarge, and by then ``work`` has ended.
        """
        task = asyncio.create_task(work, name=f"unpack {digest}")
        try:
            pause = _LOOK_EVERY
            while not (await asyncio.wait([task], timeout=pause))[0]:
                began = asyncio.get_running_loop().time()
                await self._look(key, digest)
                took = asyncio.get_running_loop().time() - began
                pause = max(_LOOK_EVERY, _RESTS_FOR * took)
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait([task])
        reply = task.result()
        self._taken = await self._look(key, digest)
        return reply

    async def _look(self, key: str, digest: str) -> Usage:
        """Return what is taken with the layer as it is now; refuse it if that is too much."""
        own = await self.layers.usage(key) or Usage(0, 0)
        taken = Usage(self._taken.bytes + own.bytes, self._taken.inodes + own.inodes)
        much = f"{self.limit} bytes" if taken.bytes > self.limit else f"{self.files} files"
        if taken.bytes > self.limit or taken.inodes > self.files:
            raise errors.ArchiveTooLarge(
                f"cannot import: with the layer {digest} it unpacks to more than {much}",
                limit=str(self.limit),
                digest=digest,
            )
        return taken
