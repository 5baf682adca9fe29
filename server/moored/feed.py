"""What happened, one after another: to whoever reads along, from now or from a revision on.

Laws: tidings are told in the order of their revisions and once they are committed, not before;
telling never waits for a reader; a reader gets each of them once, without gap, or an error that
says where it stood. The newest are in memory for all readers together, and the older ones in
the ledger. A reader who once was up to date, and falls behind by more than what is in memory, is
cut off.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from contextlib import asynccontextmanager
from operator import attrgetter
from typing import TYPE_CHECKING, Final, Protocol

from moored import errors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from moored.ledger.tidings import Past
    from moored.model.tidings import Tiding

KEPT: Final = 4096
"""Tidings in memory, at least. Twice as many at most: they go so many at a time."""
_AT_ONCE: Final = 256
"""Tidings that one reader takes before others have their turn."""


class Archive(Protocol):
    """The part of the ledger that has what is not in memory any more."""

    async def tidings(self, after: int, limit: int) -> Past: ...


class Turn:
    """The place of one change in the order of all."""

    def __init__(self, before: asyncio.Event, over: asyncio.Event) -> None:
        self._before = before
        self._over = over

    async def come(self) -> None:
        """Return once every change before this one was told, or will never be."""
        await self._before.wait()

    def end(self) -> None:
        self._over.set()


class Feed:
    def __init__(self, archive: Archive, *, revision: int = 0, keep: int = KEPT) -> None:
        """``revision`` is that of the last change before now."""
        self.revision = revision
        """Of the last tiding. What has a higher one has not been told yet."""
        self.closed = False
        self._archive = archive
        self._keep = keep
        self._newest: list[Tiding] = []
        self._floor = revision
        """All that happened after it is in memory."""
        self._news = asyncio.Event()
        self._last_turn = asyncio.Event()
        self._last_turn.set()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Turn]:
        """Take the next place in the order. It is given up at the end, told or not."""
        before, self._last_turn = self._last_turn, asyncio.Event()
        turn = Turn(before, self._last_turn)
        try:
            yield turn
        finally:
            await turn.come()
            turn.end()

    def tell(self, tidings: Sequence[Tiding]) -> None:
        """Let everybody know. To be called in turn."""
        self._newest.extend(tidings)
        self.revision = tidings[-1].revision
        if len(self._newest) >= 2 * self._keep:
            self._floor = self._newest[-self._keep - 1].revision
            del self._newest[: -self._keep]
        self._wake()

    def close(self) -> None:
        """End every reader."""
        self.closed = True
        self._wake()

    def reader(self, after: int | None = None) -> Reader:
        """Return a reader of all that happens after ``after``, or after now."""
        if after is None:
            return Reader(self, self.revision)
        if after > self.revision:
            raise errors.RevisionGone(
                f"cannot watch from revision {after}: the last one here is {self.revision}",
                newest=str(self.revision),
            )
        return Reader(self, after)

    def newest(self, after: int) -> Sequence[Tiding] | None:
        """Return some of what came after ``after``; None: not all of it is in memory."""
        if after < self._floor:
            return None
        start = bisect_right(self._newest, after, key=attrgetter("revision"))
        return self._newest[start : start + _AT_ONCE]

    async def older(self, after: int) -> Sequence[Tiding]:
        """Return some of what came after ``after`` from the ledger, or refuse."""
        past = await self._archive.tidings(after, _AT_ONCE)
        if past.oldest is None or after < past.oldest - 1:
            oldest = self._floor + 1 if past.oldest is None else past.oldest
            raise errors.RevisionGone(
                f"cannot watch from revision {after}: what is kept begins with {oldest}",
                oldest=str(oldest),
            )
        return past.tidings

    async def news(self) -> None:
        """Return once something was told that was not when this was called."""
        await self._news.wait()

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


class Reader:
    """One who reads along: where it stands, and what comes next."""

    def __init__(self, feed: Feed, revision: int) -> None:
        self.revision = revision
        """Of the last tiding that it got. From here it can be resumed."""
        self._feed = feed
        self._up_to_date = False

    async def next(self, within: float) -> Sequence[Tiding]:
        """Return what comes next, at most so much at once; nothing once the time is over."""
        try:
            async with asyncio.timeout(within):
                while not (tidings := await self._look()):
                    await self._feed.news()
        except TimeoutError:
            return ()
        self.revision = tidings[-1].revision
        return tidings

    async def _look(self) -> Sequence[Tiding]:
        if self._feed.closed:
            raise errors.ShuttingDown("cannot watch on: the server is shutting down")
        tidings = self._feed.newest(self.revision)
        if tidings is not None:
            self._up_to_date = True
            return tidings
        if self._up_to_date:
            raise errors.WatcherTooSlow(
                f"cannot watch on: the reader fell behind, from revision {self.revision} to"
                f" {self._feed.revision}",
                revision=str(self.revision),
            )
        return await self._feed.older(self.revision)
