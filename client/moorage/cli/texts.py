"""Text for people: nothing in it can move a terminal's cursor, and each error is one line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from moorage.errors import MoorageError


def plain(text: str) -> str:
    """Return ``text`` with every control character spelled out."""
    return "".join(c if c.isprintable() else _spelled(c) for c in text)


def _spelled(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode()


def line(error: MoorageError) -> str:
    """Return ``cannot <verb> <thing>: <why> (REASON, step task)``."""
    untold = [v for v in error.violations if v.why not in error.message]
    why = [error.message, *(f"{violation.field} {violation.why}" for violation in untold)]
    marks = [error.reason] if error.reason else []
    if step := error.metadata.get("step"):
        marks.append(f"step {step}")
    if error.retry_after is not None:
        marks.append(f"try again in {error.retry_after:g} s")
    told = plain(" ".join("; ".join(why).split()))
    return f"{told} ({plain(', '.join(marks))})" if marks else told


def as_json(error: MoorageError) -> str:
    """Return the same for programs, on one line."""
    told: dict[str, object] = {
        "code": error.code.name,
        "reason": error.reason,
        "message": error.message,
        "metadata": dict(error.metadata),
        "retriable": error.retriable,
    }
    if error.violations:
        told["violations"] = [{"field": v.field, "why": v.why} for v in error.violations]
    if error.retry_after is not None:
        told["retryAfter"] = f"{error.retry_after:g}s"
    return json.dumps(told, ensure_ascii=False)
