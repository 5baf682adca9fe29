"""What was told is told again after a restart, word for word, as long as it is kept."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from moored import errors
from moored.ledger import schema
from moored.ledger.changes import Happening, Put
from moored.ledger.store import Ledger
from moored.model import tidings
from moored.model.events import RestartScheduled, StartFailure, StartUndone, StopRequested
from moored.model.exits import Exit, Origin
from moored.model.intent import Action, Intent
from tests.fakes.measures import UNMEASURED
from tests.unit.samples import AT, happening, snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from moored.model.events import Event
    from moored.model.tidings import Tiding

EXIT = Exit(137, Origin.OOM, AT, signal=9)
FAILURE = StartFailure("RUNTIME_REFUSED", "cannot 'ü'\n", "task", retriable=True, at=AT)
EVENTS: tuple[Event, ...] = (
    StopRequested(Intent(Action.STOP), AT),
    StartUndone(EXIT, FAILURE, (), None),
    RestartScheduled(AT + timedelta(seconds=1), 3),
)


def tiding(event: Event, revision: int) -> Tiding:
    container = snapshot(1, "wëb")
    spec = replace(container.spec, labels={"k": "v", "ü": "\u2028"})
    labelled = replace(container, spec=spec, run=4)
    return tidings.of_event(event, labelled, revision=revision, at=AT)


async def opened(path: Path, *, keep: int = 1000) -> Ledger:
    return await Ledger.open(path / "ledger.db", measures=UNMEASURED, boot_id="b", keep_events=keep)


async def write(ledger: Ledger, *happenings: Happening) -> None:
    after = replace(snapshot(1), revision=happenings[-1].revision)
    await ledger.commit(Put(None, after, happenings, AT))


async def test_a_tiding_is_read_as_it_was_told(tmp_path: Path) -> None:
    told = [tiding(event, number) for number, event in enumerate(EVENTS, start=1)]
    ledger = await opened(tmp_path)
    await write(ledger, *(Happening(one, "{}") for one in told))
    await ledger.close()
    ledger = await opened(tmp_path)
    past = await ledger.tidings(0, 10)
    await ledger.close()
    assert [vars(one) for one in past.tidings] == [vars(one) for one in told]
    assert past.oldest == 1


async def test_tidings_come_in_order_from_a_revision_on_and_so_many_at_once(
    tmp_path: Path,
) -> None:
    ledger = await opened(tmp_path)
    await write(ledger, *(happening(revision) for revision in range(1, 10)))
    past = await ledger.tidings(3, 4)
    await ledger.close()
    assert [one.revision for one in past.tidings] == [4, 5, 6, 7]


async def test_what_was_let_go_moves_the_oldest(tmp_path: Path) -> None:
    ledger = await opened(tmp_path, keep=10)
    for revision in range(1, 300):
        await write(ledger, happening(revision))
    past = await ledger.tidings(0, 1)
    await ledger.close()
    assert past.oldest is not None
    assert past.oldest > 1
    assert past.tidings[0].revision == past.oldest


async def test_an_empty_ledger_tells_nothing(tmp_path: Path) -> None:
    ledger = await opened(tmp_path)
    past = await ledger.tidings(0, 1)
    await ledger.close()
    assert (list(past.tidings), past.oldest) == ([], None)


async def test_events_of_an_older_moored_are_kept_and_not_told(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as database:
        for statement in schema.MIGRATIONS[0]:
            database.execute(statement)
        database.execute("PRAGMA user_version = 1")
        database.execute("INSERT INTO events VALUES (7, 'c', 'Removed', '', '{}')")
    ledger = await opened(tmp_path)
    known, revision = await ledger.load()
    assert (known, revision) == ([], 7)
    await write(ledger, happening(8))
    past = await ledger.tidings(0, 10)
    await ledger.close()
    assert [one.revision for one in past.tidings] == [8]
    assert past.oldest == 8


async def test_a_ledger_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    ledger = await opened(tmp_path)
    await write(ledger, happening(1))
    with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as database:
        database.execute("UPDATE events SET told = '{}'")
    with pytest.raises(errors.LedgerFailed, match="cannot read the ledger"):
        await ledger.tidings(0, 10)
    await ledger.close()
