"""The rows of volumes. Like those of containers they outlive the program that wrote them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Final

from pydantic import TypeAdapter

from moored.model.volumes import Volume

if TYPE_CHECKING:
    from pathlib import Path

_VOLUME: Final = TypeAdapter(Volume)


def put(database: sqlite3.Connection, volume: Volume) -> None:
    database.execute(
        "INSERT OR REPLACE INTO volumes VALUES (?, ?)", (volume.name, _VOLUME.dump_json(volume))
    )


def drop(database: sqlite3.Connection, name: str) -> None:
    database.execute("DELETE FROM volumes WHERE name = ?", (name,))


def load(path: Path) -> list[Volume]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        return rows(database)


def rows(database: sqlite3.Connection) -> list[Volume]:
    found = database.execute("SELECT record FROM volumes")
    return [_VOLUME.validate_json(record) for (record,) in found]
