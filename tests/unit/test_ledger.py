"""The ledger: what was acknowledged is there again, and what cannot be read is refused."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from moored import errors
from moored.ledger import schema
from moored.ledger.changes import Change, Drop, Put, Settle
from moored.ledger.records import read, write
from moored.ledger.store import Ledger
from moored.model import state as states
from moored.model.events import StartFailure
from moored.model.exits import Exit, Origin
from moored.model.intent import Action, Asker, Intent
from moored.model.requests import Known, Request, Settled
from moored.model.resources import Hold, Kind, Leftover, Resource
from moored.model.spec import Spec
from moored.model.timeline import Step, StepOutcome, Timeline
from tests.fakes.measures import UNMEASURED
from tests.unit.samples import AT, happening, snapshot

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from moored.model.state import Snapshot

EXIT = Exit(137, Origin.SIGNAL, AT, signal=9)
TASK = Resource(Kind.TASK, "c.1", 1, hold=Hold.HELD)
STATES: tuple[states.State, ...] = (
    states.Created(),
    states.Starting(AT),
    states.Running(7, 70, AT),
    states.Frozen(7, 70, AT),
    states.Stopping(7, 70, AT),
    states.Exited(EXIT),
    states.Stranded(EXIT),
    states.Removing(None),
)


def rich(state: states.State) -> Snapshot:
    """Return a container in which nothing is unset."""
    step = Step("task", timedelta(seconds=1), timedelta(milliseconds=2), StepOutcome.FAILED, "no")
    return replace(
        snapshot(1),
        spec=Spec(
            image="busybox",
            name="wëb",
            command=("sh", "-c"),
            args=("echo 'x'\n", ""),
            env=("A=1", "B="),
            working_dir="/tmp",
            user="1:2",
            labels={"k": "v", "ü": "\u2028"},
            hostname="h",
            stop_signal="INT",
            stop_timeout=timedelta(seconds=1.5),
            auto_remove=True,
            runtime="runc",
            network="none",
        ),
        intent=Intent(Action.REMOVE, Asker.AUTO_REMOVE),
        state=state,
        run=3,
        failure=StartFailure("R", "m", "task", retriable=True, at=AT),
        started=AT,
        resources=(TASK, Resource(Kind.LAYER, "c", 1, kept=True)),
        leftovers=(Leftover(TASK, "why", AT),),
        last_start=Timeline(3, AT, timedelta(seconds=2), (step,), "abc"),
        revision=9,
    )


@asynccontextmanager
async def opened(path: Path, *, boot: str = "b1", keep: int = 1000) -> AsyncIterator[Ledger]:
    ledger = await Ledger.open(
        path / "ledger.db", measures=UNMEASURED, boot_id=boot, keep_events=keep
    )
    try:
        yield ledger
    finally:
        await ledger.close()


def put(after: Snapshot, before: Snapshot | None = None) -> Put:
    return Put(before, after, (happening(after.revision),), AT)


@pytest.mark.parametrize("state", STATES, ids=lambda state: type(state).__name__)
def test_a_record_is_read_as_it_was_written(state: states.State) -> None:
    before = rich(state)
    after = read(write(before), revision=before.revision, resources=before.resources)
    assert after == before


@pytest.mark.parametrize("state", STATES, ids=lambda state: type(state).__name__)
async def test_what_was_committed_is_there_after_a_restart(
    tmp_path: Path, state: states.State
) -> None:
    before = rich(state)
    async with opened(tmp_path) as ledger:
        await ledger.commit(put(before))
    async with opened(tmp_path) as ledger:
        (after,), revision = await ledger.load()
    assert replace(after, resources=()) == replace(before, resources=())
    assert set(after.resources) == set(before.resources)
    assert revision == 9


async def test_resources_follow_their_container(tmp_path: Path) -> None:
    layer = Resource(Kind.LAYER, "c", 1, kept=True)
    first = replace(snapshot(1), resources=(TASK, layer), revision=1)
    second = replace(first, resources=(replace(layer, hold=Hold.HELD),), revision=2)
    async with opened(tmp_path) as ledger:
        await ledger.commit(put(first))
        await ledger.commit(put(second, first))
        (after,), _ = await ledger.load()
        assert after.resources == (replace(layer, hold=Hold.HELD),)
        await ledger.commit(Drop(first.id, (happening(3, "Removed"),), AT))
        assert await ledger.load() == ([], 3)


async def test_many_changes_at_once_are_all_there(tmp_path: Path) -> None:
    many = [replace(snapshot(n), revision=n) for n in range(1, 300)]
    async with opened(tmp_path) as ledger:
        await asyncio.gather(*(ledger.commit(put(one)) for one in many))
        assert (await ledger.load())[0] == many


async def test_a_change_that_cannot_be_written_takes_no_other_with_it(tmp_path: Path) -> None:
    good, bad = replace(snapshot(1), revision=1), replace(snapshot(2), revision=2)
    changes: list[Change] = [
        put(good),
        replace(put(bad), happenings=(happening(1, "Twice"),)),
        put(replace(snapshot(3), revision=3)),
    ]
    async with opened(tmp_path) as ledger:
        outcomes = await asyncio.gather(
            *(ledger.commit(change) for change in changes), return_exceptions=True
        )
        known, _ = await ledger.load()
    assert [type(outcome) for outcome in outcomes] == [type(None), errors.LedgerFailed, type(None)]
    assert [one.id for one in known] == [snapshot(1).id, snapshot(3).id]


async def test_a_full_disk_fails_the_change_and_nothing_else(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        await ledger.commit(put(replace(snapshot(1), revision=1)))
        with sqlite3.connect(tmp_path / "ledger.db") as other:
            (pages,) = other.execute("PRAGMA page_count").fetchone()
        ledger._database.execute(f"PRAGMA max_page_count = {pages}")
        large = Spec(image="busybox", env=tuple(f"K{n}={'x' * 1000}" for n in range(500)))
        with pytest.raises(errors.LedgerFailed, match="full"):
            await ledger.commit(put(replace(snapshot(2), spec=large, revision=2)))
        ledger._database.execute("PRAGMA max_page_count = 1000000")
        await ledger.commit(put(replace(snapshot(3), revision=3)))
        known, _ = await ledger.load()
    assert [one.id for one in known] == [snapshot(1).id, snapshot(3).id]


async def test_old_events_are_let_go(tmp_path: Path) -> None:
    async with opened(tmp_path, keep=10) as ledger:
        before = None
        for revision in range(1, 600):
            after = replace(snapshot(1), revision=revision)
            await ledger.commit(put(after, before))
            before = after
    with sqlite3.connect(tmp_path / "ledger.db") as database:
        (count,) = database.execute("SELECT count(*) FROM events").fetchone()
        (last,) = database.execute("SELECT max(revision) FROM events").fetchone()
    assert count < 300
    assert last == 599


async def test_a_file_that_is_no_ledger_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"not a database" * 1000)
    with pytest.raises(errors.SetupRefused, match="cannot read the ledger"):
        await Ledger.open(tmp_path / "ledger.db", measures=UNMEASURED, boot_id="b1")
    assert (tmp_path / "ledger.db").read_bytes().startswith(b"not a database")


async def test_a_ledger_of_a_newer_moored_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path):
        pass
    with sqlite3.connect(tmp_path / "ledger.db") as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(errors.SetupRefused, match="newer"):
        await Ledger.open(tmp_path / "ledger.db", measures=UNMEASURED, boot_id="b1")


async def test_a_ledger_of_the_first_version_is_brought_to_this_one(tmp_path: Path) -> None:
    old = replace(snapshot(1), revision=1)
    with sqlite3.connect(tmp_path / "ledger.db") as database:
        for statement in schema.MIGRATIONS[0]:
            database.execute(statement)
        row = (old.id, "", "Created", 0, 1, old.created.isoformat(), write(old))
        database.execute("INSERT INTO containers VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        database.execute("PRAGMA user_version = 1")
    request, settled = Request("r", b"fingerprint"), Settled(ok=True, answer=b"answer")
    async with opened(tmp_path) as ledger:
        assert await ledger.load() == ([old], 1)
        await ledger.commit(Settle(request, settled, AT))
        assert await ledger.request("r", AT) == Known(request, settled)


async def test_a_record_that_makes_no_sense_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        await ledger.commit(put(replace(snapshot(1), revision=1)))
    with sqlite3.connect(tmp_path / "ledger.db") as database:
        database.execute("UPDATE containers SET record = '{}'")
    async with opened(tmp_path) as ledger:
        with pytest.raises(errors.SetupRefused, match="cannot read the ledger"):
            await ledger.load()


async def test_a_reboot_is_noticed_once(tmp_path: Path) -> None:
    async with opened(tmp_path, boot="b1") as ledger:
        assert not ledger.rebooted
    async with opened(tmp_path, boot="b1") as ledger:
        assert not ledger.rebooted
    async with opened(tmp_path, boot="b2") as ledger:
        assert ledger.rebooted
    async with opened(tmp_path, boot="b2") as ledger:
        assert not ledger.rebooted


def _modes(directory: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in directory.iterdir()}


async def test_nobody_else_may_read_the_ledger(tmp_path: Path) -> None:
    async with opened(tmp_path):
        assert _modes(tmp_path) == dict.fromkeys(
            ("ledger.db", "ledger.db-shm", "ledger.db-wal"), 0o600
        )
