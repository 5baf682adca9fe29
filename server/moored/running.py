"""Running the daemon to its end, which nothing that hangs may hold up.

asyncio waits for every task and Python for every thread, however long they take. Here what has not
ended when all is said ends with the process: the ledger has what it held, and the next moored
undoes it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Any, Final

from loguru import logger

if TYPE_CHECKING:
    from collections.abc import Coroutine

STRAGGLERS: Final = 1.0
"""Seconds that tasks have which nobody waits for any more."""


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run ``work``, and return once all has ended; exit with 0 where something does not."""
    runner = asyncio.Runner()
    try:
        runner.run(work)
    except BaseException:
        runner.close()
        raise
    if left := runner.run(_left()):
        logger.warning("{} tasks do not end, and end with the process", left)
        sys.stderr.flush()
        os._exit(0)
    runner.close()


async def _left() -> int:
    """Cancel all other tasks, and return how many do not end soon."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if not others:
        return 0
    _, pending = await asyncio.wait(others, timeout=STRAGGLERS)
    return len(pending)
