"""Comments of protos as Markdown: paragraphs as they are, and tables of errors as tables.

A line of a table has a code of gRPC's, a reason and a sentence; lines that are indented further
go on with it. What is indented otherwise is a block of its own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_ERROR: Final = re.compile(r" {2,}([A-Z]+(?:_[A-Z]+)*) +([A-Z]+(?:_[A-Z]+)*) +(\S.*)")
_MORE: Final = re.compile(r" {12,}(\S.*)")


def prose(comment: str) -> Iterator[str]:
    """Yield the lines of a comment."""
    rows: list[list[str]] = []
    for line in (line.removeprefix(" ") for line in comment.rstrip("\n").split("\n")):
        if row := _ERROR.fullmatch(line):
            rows.append(list(row.groups()))
        elif rows and (more := _MORE.fullmatch(line)):
            rows[-1][-1] += f" {more[1]}"
        else:
            yield from _table(rows)
            rows = []
            yield _safe(line)
    yield from _table(rows)
    yield ""


def cell(comment: str) -> str:
    """Return a comment as one cell of a table."""
    paragraphs = re.split(r"\n\s*\n", comment.strip())
    return "<br>".join(_safe(" ".join(it.split())).replace("|", "\\|") for it in paragraphs)


def _table(rows: list[list[str]]) -> Iterator[str]:
    if rows:
        yield from ("", "| code | reason | |", "|---|---|---|")
        for code, reason, why in rows:
            yield f"| {code} | {reason} | {_safe(why)} |"


def _safe(text: str) -> str:
    """Return ``text`` so that Markdown finds no tag and no emphasis in it."""
    return re.sub(r"([<*])", r"\\\1", text)
