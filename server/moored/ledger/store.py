"""The ledger's file: one writer thread, many changes in one commit.

Laws: a change is acknowledged only once it is on disk; changes are written in the order in
which they were handed over; one that fails takes no other with it; a file that cannot be
read is refused, never replaced by an empty one.
"""

from __future__ import annotations

import asyncio
import sqlite3
from queue import SimpleQueue
from threading import Thread
from time import perf_counter
from typing import TYPE_CHECKING, Final

from moored import errors
from moored.failpoints import NONE, Failpoints
from moored.ledger import reading, requests, schema, tidings, volumes, writing
from moored.ledger.changes import Change, Drop, Put

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from moored.ledger.tidings import Past
    from moored.model.requests import Known
    from moored.model.state import Snapshot
    from moored.model.volumes import Volume
    from moored.telemetry.measures import Measures

_MOST_IN_ONE_COMMIT: Final = 128
_TRIM_EVERY: Final = 256
"""Events between two looks at how many there are."""


class Ledger:
    """Open it with ``Ledger.open``; ``commit`` may be called from one event loop only."""

    def __init__(
        self,
        database: sqlite3.Connection,
        path: Path,
        *,
        keep_events: int,
        rebooted: bool,
        measures: Measures,
        failpoints: Failpoints,
    ) -> None:
        self.rebooted: Final = rebooted
        """Whether the host was booted since this ledger was last open."""
        self._database = database
        self._path = path
        self._keep_events = keep_events
        self._measures = measures
        self._failpoints = failpoints
        self._trimmed_at = 0
        self._queue: SimpleQueue[tuple[Change, asyncio.Future[None]] | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._writer = Thread(target=self._write_all, name="ledger", daemon=True)
        self._writer.start()

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        boot_id: str,
        measures: Measures,
        keep_events: int = 10_000,
        failpoints: Failpoints = NONE,
    ) -> Ledger:
        try:
            database, rebooted = await asyncio.to_thread(_open, path, boot_id)
        except (sqlite3.Error, ValueError, OSError) as error:
            raise _refusal(path, error) from error
        return cls(
            database,
            path,
            keep_events=keep_events,
            rebooted=rebooted,
            measures=measures,
            failpoints=failpoints,
        )

    async def load(self) -> tuple[list[Snapshot], int]:
        """Return every container, oldest first, and the highest revision ever given."""
        try:
            return await asyncio.to_thread(_load, self._path)
        except reading.FAILURES as error:
            raise _refusal(self._path, error) from error

    async def volumes(self) -> list[Volume]:
        """Return every volume."""
        try:
            return await asyncio.to_thread(volumes.load, self._path)
        except (sqlite3.Error, ValueError) as error:
            raise _refusal(self._path, error) from error

    async def commit(self, change: Change) -> None:
        """Return once ``change`` is on disk. Raises LedgerFailed, and then it is not."""
        done: asyncio.Future[None] = self._loop.create_future()
        self._queue.put((change, done))
        await done

    async def request(self, request_id: str, at: datetime) -> Known | None:
        """Return what is remembered of a request at ``at``. Raises LedgerFailed."""
        try:
            return await asyncio.to_thread(requests.find, self._path, request_id, at)
        except sqlite3.Error as error:
            raise errors.LedgerFailed(f"cannot read the ledger: {error}") from error

    async def tidings(self, after: int, limit: int) -> Past:
        """Return up to ``limit`` of what happened after a revision. Raises LedgerFailed."""
        try:
            return await asyncio.to_thread(tidings.find, self._path, after, limit)
        except (sqlite3.Error, ValueError) as error:
            raise errors.LedgerFailed(f"cannot read the ledger: {error}") from error

    async def close(self) -> None:
        """End the writer after what was handed to it, and leave one tidy file."""
        self._queue.put(None)
        await asyncio.to_thread(self._writer.join)

    def _write_all(self) -> None:
        more = True
        while more:
            work = [self._queue.get()]
            while len(work) < _MOST_IN_ONE_COMMIT and not self._queue.empty():
                work.append(self._queue.get())
            more = None not in work
            self._write([item for item in work if item is not None])
        self._database.close()

    def _write(self, work: list[tuple[Change, asyncio.Future[None]]]) -> None:
        if not work:
            return
        outcomes: list[Exception | None] = []
        began, outcome = perf_counter(), "done"
        try:
            if self._failpoints:
                self._failpoints.reach_in_thread("ledger.commit.before")
            self._database.execute("BEGIN IMMEDIATE")
            outcomes = [self._one(change) for change, _ in work]
            self._trim([change for change, _ in work])
            self._database.execute("COMMIT")
            if self._failpoints:
                self._failpoints.reach_in_thread("ledger.commit.after")
        except Exception as error:  # noqa: BLE001  # a dead writer would hang every verb
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            outcomes, outcome = [error] * len(work), "failed"
        self._measures.commit(len(work), outcome, perf_counter() - began)
        for (_, done), failure in zip(work, outcomes, strict=True):
            self._loop.call_soon_threadsafe(_resolve, done, failure)

    def _one(self, change: Change) -> Exception | None:
        """Write one change; when it fails, undo it alone and say why."""
        self._database.execute("SAVEPOINT change")
        try:
            writing.apply(self._database, change)
        except Exception as error:
            if not self._database.in_transaction:  # the disk is full, or worse: all is undone
                raise
            self._database.execute("ROLLBACK TO change")
            self._database.execute("RELEASE change")
            return error
        self._database.execute("RELEASE change")
        return None

    def _trim(self, changes: Sequence[Change]) -> None:
        happenings = [c.happenings[-1] for c in changes if isinstance(c, Put | Drop)]
        revision = happenings[-1].revision if happenings else 0
        if revision - self._trimmed_at >= _TRIM_EVERY:
            self._trimmed_at = revision
            self._database.execute(
                "DELETE FROM events WHERE revision <= ?", (revision - self._keep_events,)
            )


def _resolve(done: asyncio.Future[None], outcome: Exception | None) -> None:
    if done.done():
        return
    if outcome is None:
        done.set_result(None)
    else:
        failure = errors.LedgerFailed(f"cannot write the ledger: {outcome}")
        failure.__cause__ = outcome
        done.set_exception(failure)


def _open(path: Path, boot_id: str) -> tuple[sqlite3.Connection, bool]:
    # Before it holds anything: the files beside it are made with its mode.
    path.touch(mode=0o600)
    path.chmod(0o600)
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        schema.version(database)  # one from the future stays as it is
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("PRAGMA foreign_keys = ON")
        database.execute("PRAGMA busy_timeout = 2000")
        schema.migrate(database)
        rebooted = _note_boot(database, boot_id)
    except BaseException:
        database.close()
        raise
    return database, rebooted


def _note_boot(database: sqlite3.Connection, boot_id: str) -> bool:
    known = database.execute("SELECT boot_id FROM host").fetchone()
    if known == (boot_id,):
        return False
    database.execute("BEGIN IMMEDIATE")
    database.execute("DELETE FROM host")
    database.execute("INSERT INTO host VALUES (?)", (boot_id,))
    database.execute("COMMIT")
    return known is not None


def _load(path: Path) -> tuple[list[Snapshot], int]:
    with reading.opened(path) as database:
        return reading.load(database)


def _refusal(path: Path, error: Exception) -> errors.SetupRefused:
    return errors.SetupRefused(
        f"cannot read the ledger {str(path)!r}: {error}; restore it from a backup, or let"
        " 'moored ledger adopt' make one of what containerd knows"
    )
