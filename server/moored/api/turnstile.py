"""Lets one through in each round of the loop, so that others have their turn in between.

What is told to a hundred watchers is a hundred messages at once: without this, whoever asks
for anything then waits for all of them.
"""

from __future__ import annotations

import asyncio
from collections import deque


class Turnstile:
    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._turning = False

    async def enter(self) -> None:
        """Return in a later round of the loop. First come, first served."""
        loop = asyncio.get_running_loop()
        place: asyncio.Future[None] = loop.create_future()
        self._waiting.append(place)
        if not self._turning:
            self._turning = True
            loop.call_soon(self._turn)
        await place

    def _turn(self) -> None:
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():  # otherwise it was given up
                place.set_result(None)
                break
        self._turning = bool(self._waiting)
        if self._turning:
            asyncio.get_running_loop().call_soon(self._turn)
