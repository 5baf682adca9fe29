"""How calls end when the service does: who is refused, who is waited for, who is cut short.

Laws: a call that was let in is answered, whatever happens; what begins something is refused
first, while what reads goes on; one that changes something has time to end; one that is cut
short is told SHUTTING_DOWN, which a retry against the next moored can help.
"""

from __future__ import annotations

import asyncio
from typing import Any

from moored import errors


class Draining:
    def __init__(self) -> None:
        self.on = False
        """Whether what would begin something is refused."""
        self.closed = False
        """Whether every call is."""
        self._calls: dict[asyncio.Task[Any], bool] = {}
        """Those that were let in, and whether each is one to be waited for."""
        self._ending: set[asyncio.Task[Any]] = set()

    def admit(self, *, changing: bool, lasting: bool) -> None:
        """Let the call that is this task in. Raises ShuttingDown.

        ``lasting``: it may go on for ever, so that nobody waits for its end.
        """
        if self.closed:
            raise errors.ShuttingDown("cannot answer: the server is shutting down")
        if self.on and changing:
            raise errors.ShuttingDown("cannot begin anything: the server is shutting down")
        if call := asyncio.current_task():
            self._calls[call] = changing and not lasting
            call.add_done_callback(self._forget)

    def leave(self) -> None:
        """Let the call that is this task end undisturbed: it is about to be told how it ended."""
        if (call := asyncio.current_task()) in self._calls:
            self._ending.add(call)

    async def changes(self, within: float) -> None:
        """Wait for the calls that change something. To be called once no more are let in."""
        if waited := [call for call, wait in self._calls.items() if wait]:
            await asyncio.wait(waited, timeout=within)

    async def cut_short(self, within: float) -> int:
        """End every call, and return how many could not be told so in time."""
        self.closed = True
        for call in self._calls.keys() - self._ending:
            call.cancel()
        if self._calls:
            await asyncio.wait(list(self._calls), timeout=within)
        return len(self._calls)

    def _forget(self, call: asyncio.Task[Any]) -> None:
        self._calls.pop(call, None)
        self._ending.discard(call)
