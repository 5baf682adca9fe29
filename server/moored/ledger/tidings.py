"""The rows of events: each change as it happened, with what those who watch are told of it.

Rows that a moored wrote before there was anybody to tell have no tiding: to a reader, what is
kept begins after them.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pydantic import TypeAdapter

from moored.model.tidings import Tiding

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from moored.ledger.changes import Happening

_TIDING: Final = TypeAdapter(Tiding)


@dataclass(frozen=True)
class Past:
    """Some tidings that are kept, and where those that are kept begin."""

    tidings: Sequence[Tiding]
    oldest: int | None
    """None: none is kept."""


def insert(database: sqlite3.Connection, happenings: Iterable[Happening]) -> None:
    database.executemany(
        "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)",
        [
            (
                happening.revision,
                happening.tiding.container,
                happening.kind,
                happening.tiding.at.isoformat(),
                happening.facts,
                _TIDING.dump_json(happening.tiding),
            )
            for happening in happenings
        ],
    )


def find(path: Path, after: int, limit: int) -> Past:
    """Return up to ``limit`` tidings after a revision, on a connection of its own."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        database.execute("BEGIN")  # what is trimmed between the two looks would be missed
        rows = database.execute(
            "SELECT told FROM events WHERE revision > ? AND told IS NOT NULL"
            " ORDER BY revision LIMIT ?",
            (after, limit),
        ).fetchall()
        (oldest,) = database.execute(
            "SELECT revision FROM events WHERE told IS NOT NULL ORDER BY revision LIMIT 1"
        ).fetchone() or (None,)
    return Past([_TIDING.validate_json(told) for (told,) in rows], oldest)
