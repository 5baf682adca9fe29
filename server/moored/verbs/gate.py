"""How many starts may be at work at once, and how long the others wait for their turn.

More than about two a core only queue inside containerd, where nobody sees them wait.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from moored import errors


class Gate:
    """First come, first served."""

    def __init__(self, width: int, *, patience: float) -> None:
        self.width: Final = width
        self._free = width
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._patience = patience

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def enter(self, hurry: asyncio.Event) -> None:
        """Wait for a turn, which ``leave`` gives back.

        Raises StartQueueFull when it takes too long, and PreemptedByCleanup once ``hurry`` is
        set; then there is nothing to give back.
        """
        if self._free:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        haste = asyncio.ensure_future(hurry.wait())
        try:
            await asyncio.wait(
                (turn, haste), timeout=self._patience, return_when=asyncio.FIRST_COMPLETED
            )
        except BaseException:
            self._give_up(turn)
            raise
        finally:
            haste.cancel()
        if turn.done():
            return
        self._give_up(turn)
        if hurry.is_set():
            raise errors.PreemptedByCleanup("cannot start container: a cleanup came in between")
        raise errors.StartQueueFull(
            f"cannot start container: no turn in {self._patience:g} s, too many starts are at work",
            retry_after=self._patience,
        )

    def leave(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def _give_up(self, turn: asyncio.Future[None]) -> None:
        if turn.done():  # it came in the same moment: the next one's
            self.leave()
        else:
            turn.cancel()
