"""Every version of the ledger that a moored ever wrote is read by this one; newer ones are refused.

The files were written by the code of their time. There is none of version 2: no moored wrote it.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from moored import errors
from moored.ledger import inspection, reading, schema
from moored.ledger.backup import back_up
from moored.ledger.changes import PutVolume
from moored.ledger.store import Ledger
from moored.model.resources import Kind
from moored.model.state import Created, Exited, Running, Stranded
from moored.model.volumes import Volume
from tests.fakes.measures import UNMEASURED
from tests.unit.samples import AT

FILES: Final = Path(__file__).parents[1] / "data" / "ledgers"
VERSIONS: Final = (1, 3, 4, 5)
EXPECTED: Final = {"created": Created, "running": Running, "exited": Exited, "stranded": Stranded}


@pytest.fixture(params=VERSIONS)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a ledger as it was once written."""
    return Path(shutil.copy(FILES / f"version-{request.param}.db", tmp_path / "ledger.db"))


async def opened(path: Path) -> Ledger:
    return await Ledger.open(path, boot_id="b2", measures=UNMEASURED)


def test_there_is_a_file_of_the_newest_version() -> None:
    assert VERSIONS[-1] == schema.NEWEST


async def test_an_old_ledger_becomes_one_of_this_version_with_all_that_is_in_it(old: Path) -> None:
    ledger = await opened(old)
    try:
        containers, revision = await ledger.load()
        await ledger.commit(PutVolume(Volume("new", AT)))
        assert [volume.name for volume in await ledger.volumes()] == ["new"]
        assert ledger.rebooted
    finally:
        await ledger.close()
    assert {one.spec.name: type(one.state) for one in containers} == EXPECTED
    assert revision == 4
    running = next(one for one in containers if one.spec.name == "running")
    assert {resource.kind for resource in running.resources} == {Kind.TASK, Kind.LAYER}
    assert inspection.inspect(old).version == schema.NEWEST
    assert inspection.inspect(old).faults == ()


def test_an_old_ledger_is_looked_through_and_copied_as_it_is(old: Path, tmp_path: Path) -> None:
    before = old.read_bytes()
    known = reading.read(old)
    assert {one.spec.name for one in known.containers} == set(EXPECTED)
    report = back_up(old, tmp_path / "copy.db")
    assert (report.version, report.faults) == (known.version, ())
    assert sum(report.containers.values()) == len(EXPECTED)
    assert old.read_bytes() == before


async def test_a_newer_ledger_is_refused_by_everything_and_left_as_it_is(tmp_path: Path) -> None:
    newer = Path(shutil.copy(FILES / f"version-{schema.NEWEST}.db", tmp_path / "ledger.db"))
    with closing(sqlite3.connect(newer)) as database:
        database.execute(f"PRAGMA user_version = {schema.NEWEST + 1}")
        database.commit()
        database.execute("PRAGMA journal_mode = DELETE")
    before = content(newer)
    with pytest.raises(errors.SetupRefused, match="is newer than this moored's"):
        await opened(newer)
    for deed in (reading.read, inspection.inspect):
        with pytest.raises(schema.Newer):
            deed(newer)
    with pytest.raises(schema.Newer):
        back_up(newer, tmp_path / "copy.db")
    assert content(newer) == before


def content(path: Path) -> bytes:
    return path.read_bytes()
