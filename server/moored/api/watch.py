"""Watch on the wire: the snapshot, what happened after it, and heartbeats in between.

The snapshot and the events meet without a gap: nothing waits between the look at the
containers and the note of where the events begin. A stream that its reader does not read keeps
one batch of events, and nobody waits for it.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from moorage.v1 import container_service_pb2 as wire
from moored.api import asked, filters
from moored.api.events import Announcements
from moored.api.turnstile import Turnstile

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from moored.api.pictures import Pictures
    from moored.directory import Directory
    from moored.feed import Feed, Reader
    from moored.model.filters import Filter

HEARTBEAT: Final = 15.0
"""Seconds without an answer after which a stream says that it lives."""


@dataclass(frozen=True, kw_only=True)
class WatchDesk:
    directory: Directory
    feed: Feed
    pictures: Pictures
    heartbeat: float = HEARTBEAT
    announcements: Announcements = field(default_factory=Announcements)
    turnstile: Turnstile = field(default_factory=Turnstile)

    async def watch(self, request: wire.WatchRequest) -> AsyncIterator[wire.WatchResponse | bytes]:
        wanted = _wanted(request)
        since = request.since_revision if request.HasField("since_revision") else None
        reader = self.feed.reader(since)
        if request.snapshot:
            # Field 1 of an answer, as in all that show a container.
            views = self.directory.page(None, sys.maxsize, wanted)
            begin = reader.revision
            for view in views:
                await self.turnstile.enter()
                yield self.pictures.field(view)
            yield wire.WatchResponse(snapshot_end=wire.WatchResponse.SnapshotEnd(revision=begin))
        elif since is None:
            yield _heartbeat(reader)
        async for answer in self._follow(reader, wanted):
            yield answer

    async def _follow(
        self, reader: Reader, wanted: Filter
    ) -> AsyncIterator[wire.WatchResponse | bytes]:
        clock = asyncio.get_running_loop().time
        due = clock() + self.heartbeat
        while True:
            for tiding in await reader.next(within=due - clock()):
                if wanted.tells(tiding):
                    await self.turnstile.enter()
                    yield self.announcements.item(tiding)
                    due = clock() + self.heartbeat
            if clock() >= due:
                yield _heartbeat(reader)
                due = clock() + self.heartbeat


def _heartbeat(reader: Reader) -> wire.WatchResponse:
    return wire.WatchResponse(heartbeat=wire.WatchResponse.Heartbeat(revision=reader.revision))


def _wanted(request: wire.WatchRequest) -> Filter:
    if request.snapshot and request.HasField("since_revision"):
        raise asked.refused("snapshot", "cannot be together with since_revision")
    if request.filter.since_revision:
        raise asked.refused("filter.since_revision", "is not for watching: use since_revision")
    return filters.read(request.filter)
