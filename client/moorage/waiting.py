"""Long waits: many short calls, so that no proxy on the way finds them idle."""

from __future__ import annotations

import asyncio
import math
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from moorage.errors import DeadlinePassed, ShuttingDown, Unreachable

if TYPE_CHECKING:
    from moorage.client import Client
    from moorage.v1.container_service_pb2 import WaitCondition, WaitResponse

PIECE: Final = 50.0
"""Seconds of one call: proxies commonly end a silent one after 60."""
_SLACK: Final = 10.0
OUT_OF_TOUCH: Final = (Unreachable, DeadlinePassed, ShuttingDown)
"""What a moored that is being replaced answers, or does not."""
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0


class Patience:
    """How long to go on while nobody answers. An answer renews it."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._pause = _FIRST_PAUSE
        self._until: float | None = None

    def renew(self) -> None:
        self._pause = _FIRST_PAUSE
        self._until = None

    async def pause(self) -> bool:
        """Wait a little longer than the last time. False: it has run out."""
        now = asyncio.get_running_loop().time()
        if self._until is None:
            self._until = now + self._seconds
        left = self._until - now
        if left <= 0:
            return False
        await asyncio.sleep(min(self._pause, left))
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        return True


async def wait_until(
    client: Client,
    container: str,
    condition: WaitCondition,
    limit: timedelta | None,
    patience: timedelta,
) -> WaitResponse:
    loop = asyncio.get_running_loop()
    end = math.inf if limit is None else loop.time() + limit.total_seconds()
    patient = Patience(patience.total_seconds())
    while True:
        piece = min(PIECE, max(0.0, end - loop.time()))
        try:
            answer = await client.wait(
                container,
                condition=condition,
                limit=timedelta(seconds=piece),
                timeout=piece + _SLACK,
            )
        except OUT_OF_TOUCH:
            if not await patient.pause():
                raise
            continue
        if answer.reached or loop.time() >= end:
            return answer
        patient.renew()
