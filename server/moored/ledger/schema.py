"""The tables, and how a ledger of an older version becomes one of this.

Each migration runs once, in one transaction; ``user_version`` counts them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3

_FIRST: Final = (
    "CREATE TABLE host (boot_id TEXT NOT NULL)",
    """
    CREATE TABLE containers (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        state TEXT NOT NULL,
        run INTEGER NOT NULL,
        revision INTEGER NOT NULL,
        created TEXT NOT NULL,
        record BLOB NOT NULL
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE resources (
        container TEXT NOT NULL REFERENCES containers(id),
        kind TEXT NOT NULL,
        key TEXT NOT NULL,
        run INTEGER NOT NULL,
        kept INTEGER NOT NULL,
        state TEXT NOT NULL,
        PRIMARY KEY (container, kind, key)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE events (
        revision INTEGER PRIMARY KEY,
        container TEXT NOT NULL,
        kind TEXT NOT NULL,
        at TEXT NOT NULL,
        facts TEXT NOT NULL
    )
    """,
)

_REQUESTS: Final = (
    """
    CREATE TABLE requests (
        id TEXT PRIMARY KEY,
        fingerprint BLOB NOT NULL,
        expires REAL NOT NULL,
        container TEXT NOT NULL,
        run INTEGER NOT NULL,
        ok INTEGER,
        answer BLOB
    )
    """,
    "CREATE INDEX requests_by_expiry ON requests (expires)",
)

_TOLD: Final = ("ALTER TABLE events ADD COLUMN told TEXT",)

_EXCLUSIVE: Final = (
    """
    CREATE UNIQUE INDEX one_holder ON resources (kind, key)
    WHERE kind IN ('link', 'address')
    """,
)

_VOLUMES: Final = (
    "CREATE TABLE volumes (name TEXT PRIMARY KEY, record BLOB NOT NULL) WITHOUT ROWID",
)
"""Who uses a volume is in the table of resources."""

MIGRATIONS: Final = (_FIRST, _REQUESTS, _TOLD, _EXCLUSIVE, _VOLUMES)


NEWEST: Final = len(MIGRATIONS)
WITH_REQUESTS: Final = 2
WITH_VOLUMES: Final = 5


class Newer(ValueError):
    """A ledger from the future."""


def version(database: sqlite3.Connection) -> int:
    """Return the version of a ledger. Raises Newer."""
    (found,) = database.execute("PRAGMA user_version").fetchone()
    if found > NEWEST:
        raise Newer(f"its version {found} is newer than this moored's {NEWEST}")
    return int(found)


def migrate(database: sqlite3.Connection) -> None:
    """Bring ``database`` to the newest version. Raises Newer."""
    before = version(database)
    for number, statements in enumerate(MIGRATIONS[before:], start=before + 1):
        database.execute("BEGIN IMMEDIATE")
        for statement in statements:
            database.execute(statement)
        database.execute(f"PRAGMA user_version = {number}")
        database.execute("COMMIT")
