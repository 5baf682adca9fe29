"""The ledger read by whoever does not write it: beside a running moored, or without one.

Law: nothing here changes the file, takes it from its writer, or makes one that is not there.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from moored.ledger import records, schema, volumes
from moored.model.resources import Hold, Kind, Resource

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from moored.model.state import Snapshot
    from moored.model.volumes import Volume

FAILURES: Final = (sqlite3.Error, records.Unreadable, ValueError, OSError)
"""What a file raises that is no ledger, is damaged, or is of a newer moored."""


@dataclass(frozen=True)
class Known:
    """All that a ledger says of what there is."""

    version: int
    boot_id: str
    containers: Sequence[Snapshot]
    volumes: Sequence[Volume]
    revision: int
    """The highest that was ever given."""


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a ledger for reading alone: one view of it, whoever writes meanwhile."""
    with closing(_connect(path)) as database:
        database.execute("BEGIN")
        yield database


def _connect(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
    try:
        database.execute("SELECT 1 FROM sqlite_schema").fetchone()
    except sqlite3.OperationalError:
        database.close()
        if path.with_name(f"{path.name}-wal").exists():
            raise
        # A disk that cannot be written to has no room for the index of a log that is not there.
        return sqlite3.connect(f"file:{path}?immutable=1", uri=True, isolation_level=None)
    return database


def read(path: Path) -> Known:
    """Return what the ledger says. Raises one of FAILURES."""
    with opened(path) as database:
        version = schema.version(database)
        snapshots, revision = load(database)
        (boot_id,) = database.execute("SELECT boot_id FROM host").fetchone() or ("",)
        known = volumes.rows(database) if version >= schema.WITH_VOLUMES else []
    return Known(version, boot_id, snapshots, known, revision)


def load(database: sqlite3.Connection) -> tuple[list[Snapshot], int]:
    """Return every container, oldest first, and the highest revision ever given."""
    (fault,) = database.execute("PRAGMA quick_check(1)").fetchone()
    if fault != "ok":
        raise ValueError(fault)
    held: dict[str, list[Resource]] = {}
    for container, kind, key, run, kept, state in database.execute(
        "SELECT container, kind, key, run, kept, state FROM resources"
    ):
        resource = Resource(Kind(kind), key, run, bool(kept), Hold(state))
        held.setdefault(container, []).append(resource)
    snapshots = [
        records.read(record, revision=revision, resources=tuple(held.get(container, ())))
        for container, revision, record in database.execute(
            "SELECT id, revision, record FROM containers ORDER BY created, id"
        )
    ]
    (last,) = database.execute(
        "SELECT max((SELECT ifnull(max(revision), 0) FROM events),"
        " (SELECT ifnull(max(revision), 0) FROM containers))"
    ).fetchone()
    return snapshots, last
