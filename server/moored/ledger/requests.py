"""The rows of requests: who asked for what, and what became of it.

A request that made or started a container is on record with that very change, in one
commit: however moored ends, a retry finds the container. Rows go when their time is over.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from moored.model.identity import ContainerId
from moored.model.requests import KEPT, Begun, Fate, Known, Request, Settled

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from moored.ledger.changes import Forget, Settle
    from moored.model.state import Snapshot


def begin(database: sqlite3.Connection, request: Request, after: Snapshot, at: datetime) -> None:
    """Note that ``request`` brought about ``after``."""
    _drop_expired(database, at)
    database.execute(
        "INSERT INTO requests VALUES (?, ?, ?, ?, ?, NULL, NULL) ON CONFLICT (id) DO UPDATE SET"
        " fingerprint = excluded.fingerprint, expires = excluded.expires,"
        " container = excluded.container, run = excluded.run, ok = NULL, answer = NULL",
        (request.id, request.fingerprint, _expiry(at), after.id, after.run),
    )


def settle(database: sqlite3.Connection, change: Settle) -> None:
    _drop_expired(database, change.at)
    request, settled = change.request, change.settled
    database.execute(
        "INSERT INTO requests VALUES (?, ?, ?, '', 0, ?, ?) ON CONFLICT (id) DO UPDATE SET"
        " expires = excluded.expires, ok = excluded.ok, answer = excluded.answer",
        (
            request.id,
            request.fingerprint,
            _expiry(change.at),
            int(settled.ok),
            settled.answer,
        ),
    )


def forget(database: sqlite3.Connection, change: Forget) -> None:
    if change.keep_container:
        database.execute("UPDATE requests SET run = 0 WHERE id = ?", (change.request.id,))
    else:
        database.execute("DELETE FROM requests WHERE id = ?", (change.request.id,))


def find(path: Path, request_id: str, at: datetime) -> Known | None:
    """Return what is remembered of a request at ``at``, on a connection of its own."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        row = database.execute(
            "SELECT fingerprint, container, run, ok, answer FROM requests"
            " WHERE id = ? AND expires > ?",
            (request_id, at.timestamp()),
        ).fetchone()
    if row is None:
        return None
    fingerprint, container, run, ok, answer = row
    fate: Fate = Begun(ContainerId(container), run)
    if ok is not None:
        fate = Settled(bool(ok), answer)
    return Known(Request(request_id, fingerprint), fate)


def _expiry(at: datetime) -> float:
    return (at + KEPT).timestamp()


def _drop_expired(database: sqlite3.Connection, at: datetime) -> None:
    database.execute("DELETE FROM requests WHERE expires <= ?", (at.timestamp(),))
