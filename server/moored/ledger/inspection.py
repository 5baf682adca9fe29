"""Is a ledger whole? Everything that can be asked of the file alone, beside a moored or without."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from moored.ledger import reading, records, schema
from moored.model.resources import Hold, Kind

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_MOST_FAULTS: Final = 100
"""Of the file's structure: one that has more is beyond reading them all."""


@dataclass(frozen=True)
class Report:
    version: int
    faults: tuple[str, ...]
    """What is wrong with it; none: it is whole."""
    containers: Mapping[str, int]
    """How many are in each state."""
    resources: Mapping[str, int]
    """How many there are of each kind."""
    volumes: int
    requests: int
    events: int
    revision: int


def inspect(path: Path) -> Report:
    """Return what is in a ledger, and what is wrong with it.

    Raises one of ``reading.FAILURES`` for what is none, or is of a newer moored.
    """
    with reading.opened(path) as database:
        version = schema.version(database)
        if not version:
            raise ValueError("it has no tables of moored's")
        if broken := tuple(_broken(database)):
            # Whatever else it says is nothing to build on.
            return Report(version, broken, {}, {}, 0, 0, 0, 0)
        return _report(database, version)


def _report(database: sqlite3.Connection, version: int) -> Report:
    (revision,) = database.execute(
        "SELECT max((SELECT ifnull(max(revision), 0) FROM events),"
        " (SELECT ifnull(max(revision), 0) FROM containers))"
    ).fetchone()
    return Report(
        version=version,
        faults=(*_senseless(database), *_homeless(database)),
        containers=_counted(database, "SELECT state FROM containers"),
        resources=_counted(database, "SELECT kind FROM resources"),
        volumes=_count(database, "volumes") if version >= schema.WITH_VOLUMES else 0,
        requests=_count(database, "requests") if version >= schema.WITH_REQUESTS else 0,
        events=_count(database, "events"),
        revision=revision,
    )


def _broken(database: sqlite3.Connection) -> Iterator[str]:
    for (line,) in database.execute(f"PRAGMA integrity_check({_MOST_FAULTS})"):
        if line != "ok":
            yield line.removeprefix("*** in database main ***\n")


def _senseless(database: sqlite3.Connection) -> Iterator[str]:
    """Yield the records and resources that nobody can make sense of."""
    for container, revision, record in database.execute(
        "SELECT id, revision, record FROM containers ORDER BY created, id"
    ):
        try:
            found = records.read(record, revision=revision, resources=())
        except (records.Unreadable, ValueError) as error:
            yield f"the record of container {container} cannot be read: {error}"
            continue
        if found.id != container:
            yield f"the record of container {container} says that it is {found.id}"
    kinds, holds = set(Kind), set(Hold)
    for container, kind, key, hold in database.execute(
        "SELECT container, kind, key, state FROM resources"
    ):
        if kind not in kinds or hold not in holds:
            yield f"resource {kind} {key!r} of container {container} is of no known kind"


def _homeless(database: sqlite3.Connection) -> Iterator[str]:
    for container, kind, key in database.execute(
        "SELECT container, kind, key FROM resources WHERE container NOT IN"
        " (SELECT id FROM containers)"
    ):
        yield f"resource {kind} {key!r} is of container {container}, which has no record"


def _counted(database: sqlite3.Connection, query: str) -> Mapping[str, int]:
    return dict(sorted(Counter(value for (value,) in database.execute(query)).items()))


def _count(database: sqlite3.Connection, table: str) -> int:
    (count,) = database.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(count)
