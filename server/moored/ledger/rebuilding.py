"""A new ledger in the place of one that is lost or cannot be read.

Laws: the new one is whole and on the disk before the old one is moved; the old one is moved aside,
with all that belongs to it, and never deleted.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Final

from moored.ledger import schema, writing
from moored.ledger.backup import sync

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from moored.ledger.changes import Put, PutVolume

_BESIDE: Final = ("-wal", "-shm")
"""What a ledger has beside it while it is open, or after a crash."""


def write_new(
    path: Path, *, boot_id: str, changes: Sequence[Put | PutVolume], at: datetime
) -> Path | None:
    """Put a ledger with these changes at ``path``; return where the one that was there is now.

    Raises sqlite3.Error and OSError, and then the old one is where it was, or aside.
    """
    fresh = path.with_name(f"{path.name}.new")
    for left in (fresh, *_companions(fresh)):
        left.unlink(missing_ok=True)
    _fill(fresh, boot_id, changes)
    aside = _move_aside(path, at)
    fresh.rename(path)
    sync(path.parent)
    return aside


def _fill(fresh: Path, boot_id: str, changes: Sequence[Put | PutVolume]) -> None:
    fresh.touch(mode=0o600)
    with closing(sqlite3.connect(fresh, isolation_level=None)) as database:
        database.execute("PRAGMA foreign_keys = ON")
        schema.migrate(database)
        database.execute("BEGIN IMMEDIATE")
        database.execute("INSERT INTO host VALUES (?)", (boot_id,))
        for change in changes:
            writing.apply(database, change)
        database.execute("COMMIT")
    sync(fresh)


def _move_aside(path: Path, at: datetime) -> Path | None:
    stamp = at.strftime("%Y%m%dT%H%M%SZ")
    aside = path.with_name(f"{path.name}.before-{stamp}")
    number = 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.before-{stamp}.{number}")
    moved = False
    for old, new in zip((path, *_companions(path)), (aside, *_companions(aside)), strict=True):
        if old.exists():
            old.rename(new)
            moved = True
    return aside if moved else None


def _companions(path: Path) -> list[Path]:
    return [path.with_name(f"{path.name}{suffix}") for suffix in _BESIDE]
