"""A start that was asked for before, by the same request: go on where the first try ended.

The first try may have failed in a way that a retry can help, or moored may have gone away
before it could tell how the start ended. What ran is not started a second time.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from moored import errors
from moored.model.state import Starting
from moored.verbs.attempt import StartOutcome

if TYPE_CHECKING:
    from moored.model.identity import ContainerId
    from moored.model.requests import Begun, Request
    from moored.model.state import Snapshot
    from moored.verbs.start import Starter


async def start_again(starter: Starter, request: Request, begun: Begun) -> StartOutcome:
    """Return how the start of ``begun`` went; where its process never ran, start again."""
    snapshot = await _at_rest(starter, begun.container)
    if begun.run and (snapshot.run > begun.run or snapshot.started is not None):
        return StartOutcome(snapshot, already_running=False)
    return await starter.start(begun.container, request=request)


async def _at_rest(starter: Starter, container: ContainerId) -> Snapshot:
    """Return the container once no start of it is under way, nor waits to be undone."""
    subject = starter.registry.find(container)
    try:
        async with asyncio.timeout(starter.limits.step):
            view = await subject.until(
                lambda v: v.gone or not isinstance(v.snapshot.state, Starting)
            )
    except TimeoutError as error:
        raise errors.Interrupted(
            f"cannot start container {container!r}: the start before is not undone yet",
            container=container,
        ) from error
    return view.snapshot
