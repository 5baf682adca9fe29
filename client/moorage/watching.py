"""Long watches: what happened, without gap or repeat, also over a restart of moored."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from moorage.errors import ShuttingDown, Unreachable, WatcherTooSlow
from moorage.v1 import container_service_pb2 as wire
from moorage.waiting import Patience

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from datetime import timedelta

_BROKEN: Final = (Unreachable, ShuttingDown, WatcherTooSlow)
"""How a stream ends that can be taken up again from where it stood."""


async def watch_on(
    begin: Callable[[wire.WatchRequest], AsyncGenerator[wire.WatchResponse, None]],
    request: wire.WatchRequest,
    patience: timedelta,
) -> AsyncGenerator[wire.WatchResponse, None]:
    """Yield what ``begin`` streams; begin again where it broke, as long as there is patience."""
    patient = Patience(patience.total_seconds())
    while True:
        try:
            async with aclosing(begin(request)) as items:
                async for item in items:
                    patient.renew()
                    request = _resumed(request, item)
                    yield item
        except _BROKEN:
            if not await patient.pause():
                raise
        else:
            return


def _resumed(request: wire.WatchRequest, item: wire.WatchResponse) -> wire.WatchRequest:
    """Return the request that goes on after ``item``."""
    match item.WhichOneof("item"):
        case "event":
            revision = item.event.revision
        case "heartbeat":
            revision = item.heartbeat.revision
        case "snapshot_end":
            revision = item.snapshot_end.revision
        case _:  # a snapshot that broke off begins anew
            return request
    return wire.WatchRequest(since_revision=revision, filter=request.filter)
