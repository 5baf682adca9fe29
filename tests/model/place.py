"""A house that is driven from outside its event loop, killed, and opened again elsewhere.

All of moored that runs unasked runs, but the sweep, which is asked: it would wait for seconds.
A kill leaves what is on the disk, and nobody hears any more of what was under way.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tests.fakes.containerd import FakeContainerd
from tests.faults.door import connected
from tests.faults.world import bring_image, opened

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from tests.faults.world import World
    from tests.real.wire import Wire

T = TypeVar("T")
WITHIN = 20.0
"""Seconds after which a step of a program is stuck."""


class Place:
    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="mgm.", dir="/tmp"))
        self.openings = 0
        self._runner = asyncio.Runner()
        self._whole = AsyncExitStack()
        self._house = AsyncExitStack()
        self.fake: FakeContainerd = self.do(self._serve())
        self.world: World
        self.wire: Wire
        self.do(self._open(self.home / "0"))
        self.do(bring_image(self.world))

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        async def limited() -> T:
            async with asyncio.timeout(WITHIN):
                return await work

        return self._runner.run(limited())

    def close(self) -> None:
        try:
            self.do(self._house.aclose())
            self.do(self._whole.aclose())
        finally:
            self._runner.close()
            shutil.rmtree(self.home)

    async def reopen(self) -> None:
        """End the house as SIGTERM does, and open it again on the same disk."""
        await self._house.aclose()
        await self._open(self.world.home)

    async def kill(self) -> None:
        """Take the house's disk as it is, and go on with that in another house."""
        self.openings += 1
        home, old = self.home / str(self.openings), self._house
        for name in ("root", "state"):
            shutil.copytree(self.world.home / name, home / name)
        # A dead moored asks nothing more of containerd.
        await self.world.house.adapters.connection.close()
        with suppress(Exception):
            await old.aclose()
        self.fake.forgive()
        await self._open(home)

    async def _serve(self) -> FakeContainerd:
        return await self._whole.enter_async_context(FakeContainerd.serving(self.home / "c.sock"))

    async def _open(self, home: Path) -> None:
        self._house = AsyncExitStack()
        self.world = await self._house.enter_async_context(
            opened(home, self.fake, undo_timeout=2, step_timeout=3)
        )
        keepers = self.world.house.keepers
        await keepers.recovery.run()
        for work in (keepers.restarts.run(), keepers.hints.run()):
            self._house.push_async_callback(_end, asyncio.create_task(work))
        self.wire = await self._house.enter_async_context(connected(self.world))


async def _end(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.wait([task])
