"""Text in columns. Widths are those of the text: colours take no room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import click

from moorage.cli.texts import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

GAP = "  "


@dataclass(frozen=True)
class Coloured:
    text: str
    colour: str | None


Cell: TypeAlias = str | Coloured


def table(headings: Sequence[str], rows: Iterable[Sequence[Cell]], *, indent: str = "") -> str:
    """Return rows below their headings, each column as wide as its widest cell."""
    body = [[_split(cell) for cell in row] for row in rows]
    top: list[tuple[str, str | None]] = [(heading, None) for heading in headings]
    widths = [max(len(text) for text, _ in column) for column in zip(top, *body, strict=True)]
    return "\n".join(indent + _line(row, widths) for row in (top, *body))


def fields(rows: Iterable[tuple[str, Cell]], *, indent: str = "  ") -> str:
    """Return labels and values below each other."""
    listed = [(label, _split(value)) for label, value in rows]
    width = max((len(label) for label, _ in listed), default=0)
    return "\n".join(
        f"{indent}{label:{width}}{GAP}{_painted(text, colour)}" for label, (text, colour) in listed
    )


def _split(cell: Cell) -> tuple[str, str | None]:
    if isinstance(cell, Coloured):
        return plain(cell.text), cell.colour
    return plain(cell), None


def _line(row: Sequence[tuple[str, str | None]], widths: Sequence[int]) -> str:
    cells = [
        _painted(text, colour) + " " * (width - len(text))
        for (text, colour), width in zip(row, widths, strict=True)
    ]
    return GAP.join(cells).rstrip()


def _painted(text: str, colour: str | None) -> str:
    return click.style(text, fg=colour) if colour else text
