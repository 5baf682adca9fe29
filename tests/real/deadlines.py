"""Waiting for what tells nobody when it happens: look, and look again until a deadline.

Only for what is seen from outside. Whatever moored can tell, tests wait for by asking it.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_LOOK_AGAIN: Final = 0.02


def until(seen: Callable[[], bool], what: str, *, within: float) -> None:
    """Return once ``seen``; raise TimeoutError if it is not within its time."""
    deadline = time.monotonic() + within
    while not seen():
        _check(deadline, what, within)
        time.sleep(_LOOK_AGAIN)


async def eventually(
    seen: Callable[[], bool] | Callable[[], Awaitable[bool]], what: str, *, within: float = 20.0
) -> None:
    """The same, and the calls under way go on meanwhile."""
    deadline = time.monotonic() + within
    while not await _answer(seen):
        _check(deadline, what, within)
        await asyncio.sleep(_LOOK_AGAIN)


async def _answer(seen: Callable[[], bool] | Callable[[], Awaitable[bool]]) -> bool:
    answer = seen()
    return answer if isinstance(answer, bool) else await answer


def _check(deadline: float, what: str, within: float) -> None:
    if time.monotonic() > deadline:
        raise TimeoutError(f"not within {within:g} s: {what}")
