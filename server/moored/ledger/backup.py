"""A copy of the ledger at one moment, made beside whoever writes it.

Laws: what has its final name is whole, looked through and on the disk; nothing that is there is
replaced unless it was said that it may be; nobody but its owner can read it at any moment.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from moored.ledger import inspection, reading

if TYPE_CHECKING:
    from pathlib import Path

    from moored.ledger.inspection import Report


class Damaged(ValueError):
    """The copy is not whole, as the ledger is not."""


def back_up(source: Path, target: Path, *, replace: bool = False) -> Report:
    """Copy the ledger to ``target``, and return what is in the copy.

    Raises FileExistsError if ``target`` is there and must not be replaced, Damaged, or one of
    ``reading.FAILURES``; ``target`` is then what it was.
    """
    if not replace and os.path.lexists(target):
        raise FileExistsError(f"{target} is there already")
    fresh = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        _copy(source, fresh)
        report = inspection.inspect(fresh)
        if report.faults:
            raise Damaged(f"the ledger is not whole: {report.faults[0]}")
        _put_in_place(fresh, target, replace=replace)
    finally:
        fresh.unlink(missing_ok=True)
    return report


def sync(path: Path) -> None:
    """Have a file, or the names in a directory, on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _copy(source: Path, fresh: Path) -> None:
    os.close(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    with reading.opened(source) as ledger, closing(sqlite3.connect(fresh)) as copy:
        ledger.backup(copy)
        # One file: whoever opens it next makes a log for it again.
        copy.execute("PRAGMA journal_mode = DELETE")
    sync(fresh)


def _put_in_place(fresh: Path, target: Path, *, replace: bool) -> None:
    if replace:
        fresh.replace(target)
    else:
        os.link(fresh, target)  # unlike a rename it refuses what has come there meanwhile
    sync(target.parent)
