"""The feed: in order, once, without gap; who falls behind is cut off, and holds nobody up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from moored import errors
from moored.feed import Feed
from moored.ledger.changes import Put
from tests.unit.samples import AT, Journal, happening, snapshot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moored.feed import Reader
    from moored.ledger.changes import Happening
    from moored.model.tidings import Tiding

WITHIN = 5.0


async def tell(feed: Feed, journal: Journal, *revisions: int) -> None:
    """Let so many changes happen, each in one commit."""
    for revision in revisions:
        happenings: tuple[Happening, ...] = (happening(revision),)
        async with feed.turn() as turn:
            await journal.commit(Put(None, snapshot(), happenings, AT))
            await turn.come()
            feed.tell([told.tiding for told in happenings])


async def read(reader: Reader, number: int) -> list[int]:
    found: list[Tiding] = []
    while len(found) < number:
        tidings = await reader.next(WITHIN)
        assert tidings, f"nothing after {revisions(found)}"
        found += tidings
    return revisions(found)


def revisions(tidings: Sequence[Tiding]) -> list[int]:
    return [tiding.revision for tiding in tidings]


async def test_a_reader_from_now_on_gets_what_happens_next() -> None:
    journal = Journal()
    feed = Feed(journal)
    await tell(feed, journal, 1, 2)
    reader = feed.reader()
    reading = asyncio.create_task(read(reader, 2))
    await tell(feed, journal, 3, 4)
    assert await reading == [3, 4]


async def test_a_reader_from_a_revision_gets_what_followed_it_and_what_happens_next() -> None:
    journal = Journal()
    feed = Feed(journal)
    await tell(feed, journal, 1, 2, 3)
    reader = feed.reader(1)
    assert await read(reader, 2) == [2, 3]
    await tell(feed, journal, 4)
    assert await read(reader, 1) == [4]


async def test_what_is_not_in_memory_any_more_comes_from_the_ledger() -> None:
    journal = Journal()
    feed = Feed(journal, keep=4)
    await tell(feed, journal, *range(1, 1001))
    assert await read(feed.reader(0), 1000) == list(range(1, 1001))


async def test_what_happened_before_a_restart_comes_from_the_ledger() -> None:
    journal = Journal()
    await tell(Feed(journal), journal, *range(1, 11))
    again = Feed(journal, revision=10)
    reader = again.reader(7)
    assert await read(reader, 3) == [8, 9, 10]
    await tell(again, journal, 11)
    assert await read(reader, 1) == [11]


async def test_what_the_ledger_let_go_is_refused_with_the_oldest_that_is_kept() -> None:
    journal = Journal()
    feed = Feed(journal, revision=20)
    await tell(feed, journal, 21, 22)
    del journal.changes[0]
    again = Feed(journal, revision=22)
    with pytest.raises(errors.RevisionGone) as caught:
        await again.reader(20).next(WITHIN)
    assert caught.value.facts["oldest"] == "22"
    assert await read(again.reader(21), 1) == [22]


async def test_a_ledger_that_tells_nothing_refuses_all_but_the_present() -> None:
    feed = Feed(Journal(), revision=20)
    with pytest.raises(errors.RevisionGone) as caught:
        await feed.reader(19).next(WITHIN)
    assert caught.value.facts["oldest"] == "21"
    assert await feed.reader(20).next(0) == ()


async def test_a_revision_that_is_not_there_yet_is_refused_with_the_newest() -> None:
    with pytest.raises(errors.RevisionGone) as caught:
        Feed(Journal(), revision=20).reader(21)
    assert caught.value.facts["newest"] == "20"


async def test_a_reader_that_falls_behind_is_cut_off_and_can_go_on_from_there() -> None:
    journal = Journal()
    feed = Feed(journal, keep=4)
    reader = feed.reader()
    await tell(feed, journal, 1)
    assert await read(reader, 1) == [1]
    await tell(feed, journal, *range(2, 20))
    with pytest.raises(errors.WatcherTooSlow) as caught:
        await reader.next(WITHIN)
    stood = int(caught.value.facts["revision"])
    assert stood == 1
    assert await read(feed.reader(stood), 18) == list(range(2, 20))


async def test_a_reader_that_reads_nothing_holds_nobody_up() -> None:
    journal = Journal()
    feed = Feed(journal, keep=4)
    feed.reader()
    await asyncio.wait_for(tell(feed, journal, *range(1, 100)), WITHIN)
    assert feed.revision == 99


async def test_changes_are_told_in_their_order_whichever_is_committed_first() -> None:
    journal = Journal()
    feed = Feed(journal)
    reader = feed.reader()
    async with feed.turn() as first:
        second = asyncio.create_task(tell(feed, journal, 2))
        await journal.reached.wait()
        assert await reader.next(0) == ()
        await first.come()
        feed.tell([happening(1).tiding])
    await second
    assert await read(reader, 2) == [1, 2]


async def test_a_change_that_fails_gives_up_its_turn_and_only_that() -> None:
    journal = Journal()
    feed = Feed(journal)
    async with feed.turn() as first:
        journal.fails = True
        failing = asyncio.create_task(tell(feed, journal, 2))
        await journal.reached.wait()
        journal.fails = False
        third = asyncio.create_task(tell(feed, journal, 3))
        await asyncio.sleep(0)
        assert feed.revision == 0
        await first.come()
        feed.tell([happening(1).tiding])
    with pytest.raises(errors.LedgerFailed):
        await failing
    await third
    assert await read(feed.reader(0), 2) == [1, 3]


async def test_a_feed_that_closes_ends_its_readers() -> None:
    feed = Feed(Journal())
    reading = asyncio.create_task(feed.reader().next(WITHIN))
    await asyncio.sleep(0)
    feed.close()
    with pytest.raises(errors.ShuttingDown):
        await reading
