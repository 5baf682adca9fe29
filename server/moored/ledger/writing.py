"""How each change becomes rows, in the transaction that its caller has begun."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moored.ledger import records, requests, tidings, volumes
from moored.ledger.changes import Change, Drop, DropVolume, Forget, Put, PutVolume, Settle

if TYPE_CHECKING:
    import sqlite3


def apply(database: sqlite3.Connection, change: Change) -> None:
    match change:
        case Put():
            _put(database, change)
        case Drop():
            _drop(database, change)
        case Settle():
            requests.settle(database, change)
        case Forget():
            requests.forget(database, change)
        case PutVolume():
            volumes.put(database, change.volume)
        case DropVolume():
            volumes.drop(database, change.name)


def _put(database: sqlite3.Connection, change: Put) -> None:
    after = change.after
    database.execute(
        "INSERT INTO containers VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
        " name = excluded.name, state = excluded.state, run = excluded.run,"
        " revision = excluded.revision, record = excluded.record",
        (
            after.id,
            after.spec.name,
            type(after.state).__name__,
            after.run,
            after.revision,
            after.created.isoformat(),
            records.write(after),
        ),
    )
    old = set(change.before.resources) if change.before else set()
    new = set(after.resources)
    database.executemany(
        "DELETE FROM resources WHERE container = ? AND kind = ? AND key = ?",
        [(after.id, resource.kind, resource.key) for resource in old - new],
    )
    database.executemany(
        "INSERT INTO resources VALUES (?, ?, ?, ?, ?, ?)",
        [(after.id, r.kind, r.key, r.run, int(r.kept), r.hold) for r in new - old],
    )
    tidings.insert(database, change.happenings)
    if change.request:
        requests.begin(database, change.request, after, change.at)


def _drop(database: sqlite3.Connection, change: Drop) -> None:
    database.execute("DELETE FROM resources WHERE container = ?", (change.container,))
    database.execute("DELETE FROM containers WHERE id = ?", (change.container,))
    tidings.insert(database, change.happenings)
