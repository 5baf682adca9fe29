"""A damaged ledger is named as such, is never replaced, and makes up nothing."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from moored import errors
from moored.ledger import inspection, reading
from moored.ledger.backup import Damaged, back_up
from moored.ledger.changes import Put
from moored.ledger.rebuilding import write_new
from moored.ledger.store import Ledger
from moored.model.spec import Spec
from tests.fakes.measures import UNMEASURED
from tests.unit.samples import AT, happening, snapshot

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from moored.model.state import Snapshot

PAGE = 4096


def many() -> Sequence[Snapshot]:
    """Return enough containers that their table has pages above its leaves."""
    large = Spec(image="busybox", env=tuple(f"K{n}={'x' * 100}" for n in range(20)))
    return [replace(snapshot(n), spec=large, revision=n) for n in range(1, 200)]


async def opened(path: Path) -> Ledger:
    return await Ledger.open(path, boot_id="b1", measures=UNMEASURED)


async def written(path: Path, snapshots: Sequence[Snapshot]) -> None:
    ledger = await opened(path)
    for one in snapshots:
        await ledger.commit(Put(None, one, (happening(one.revision),), AT))
    await ledger.close()


@pytest.fixture
async def ledger(tmp_path: Path) -> Path:
    await written(tmp_path / "ledger.db", many())
    return tmp_path / "ledger.db"


def overwrite(path: Path, offset: int, size: int = PAGE) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xa5" * size)


def content(path: Path) -> bytes:
    return path.read_bytes()


def root_page(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as database:
        (page,) = database.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)
        ).fetchone()
    return int(page)


async def test_a_spoilt_header_is_refused_and_the_file_left_alone(ledger: Path) -> None:
    overwrite(ledger, 0, 100)
    before = content(ledger)
    with pytest.raises(errors.SetupRefused, match="moored ledger adopt"):
        await opened(ledger)
    with pytest.raises(reading.FAILURES):
        inspection.inspect(ledger)
    assert content(ledger) == before


async def test_a_spoilt_page_above_the_leaves_is_refused_and_named(
    ledger: Path, tmp_path: Path
) -> None:
    overwrite(ledger, (root_page(ledger, "containers") - 1) * PAGE)
    found = await opened(ledger)
    try:
        with pytest.raises(errors.SetupRefused, match="moored ledger adopt"):
            await found.load()
    finally:
        await found.close()
    assert inspection.inspect(ledger).faults != ()
    with pytest.raises((Damaged, sqlite3.DatabaseError)):
        back_up(ledger, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


async def test_a_spoilt_log_is_read_up_to_where_it_is_whole(tmp_path: Path) -> None:
    source = tmp_path / "ledger.db"
    writer = await opened(source)
    first, *rest = many()
    await writer.commit(Put(None, first, (happening(first.revision),), AT))
    size = (tmp_path / "ledger.db-wal").stat().st_size
    for one in rest[:9]:
        await writer.commit(Put(None, one, (happening(one.revision),), AT))
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("ledger.db", "ledger.db-wal"):  # as a crash leaves it
        shutil.copy(tmp_path / name, copy / name)
    await writer.close()
    overwrite(copy / "ledger.db-wal", size, 3 * PAGE)
    again = await opened(copy / "ledger.db")
    try:
        assert await again.load() == ([first], first.revision)
    finally:
        await again.close()


async def test_check_names_records_and_resources_that_make_no_sense(ledger: Path) -> None:
    first, second = many()[:2]
    with closing(sqlite3.connect(ledger)) as database:
        database.execute("UPDATE containers SET record = '{}' WHERE id = ?", (first.id,))
        database.execute(
            "INSERT INTO resources VALUES (?, 'what', 'k', 1, 0, 'held')", (second.id,)
        )
        database.execute("INSERT INTO resources VALUES ('nobody', 'task', 'k', 1, 0, 'held')")
        database.commit()
    faults = inspection.inspect(ledger).faults
    assert len(faults) == 3
    assert f"the record of container {first.id} cannot be read" in faults[0]
    assert "of no known kind" in faults[1]
    assert "nobody, which has no record" in faults[2]


async def test_a_new_ledger_takes_the_place_of_the_old_one_which_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    kept: list[Path] = []
    for round_ in (b"first", b"second"):
        path.write_bytes(round_)
        path.with_name("ledger.db-wal").write_bytes(round_)
        one = replace(snapshot(1), revision=9)
        changes = [Put(None, one, (happening(9),), AT)]
        aside = write_new(path, boot_id="b1", changes=changes, at=AT)
        assert aside is not None
        kept.append(aside)
        assert aside.read_bytes() == round_
        assert aside.with_name(f"{aside.name}-wal").read_bytes() == round_
        assert reading.read(path).containers == [one]
        assert path.stat().st_mode & 0o777 == 0o600
    assert len(set(kept)) == 2
