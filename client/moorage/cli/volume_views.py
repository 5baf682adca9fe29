"""What people are shown of volumes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from moorage.cli.tables import Cell, fields, table
from moorage.cli.texts import plain
from moorage.cli.times import age, moment
from moorage.cli.views import SHORT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from moorage.v1.volume_service_pb2 import Volume


def volumes(listed: Sequence[Volume], now: datetime | None = None) -> str:
    clock = now or datetime.now(UTC)
    rows = [
        (
            one.name,
            "anonymous" if one.anonymous else "",
            str(len(one.containers)),
            f"{age(one.create_time, clock)} ago",
        )
        for one in listed
    ]
    return table(("NAME", "KIND", "USERS", "CREATED"), rows)


def volume(shown: Volume) -> str:
    """Return all that is known of one volume."""
    return "\n".join((click.style(plain(shown.name), bold=True), fields(_facts(shown))))


def _facts(shown: Volume) -> Iterator[tuple[str, Cell]]:
    yield "created", moment(shown.create_time)
    if shown.anonymous:
        yield "kind", "anonymous"
    yield "path", shown.path
    for key, value in sorted(shown.labels.items()):
        yield "label", f"{key}={value}"
    for container in shown.containers:
        yield "used by", container[:SHORT]
