"""What a probe has found, with as much of its output as is kept."""

from __future__ import annotations

from dataclasses import dataclass

from moored.model.health import LARGEST_OUTPUT, Outcome


@dataclass(frozen=True)
class Finding:
    outcome: Outcome
    output: str = ""
    exit_code: int | None = None


def succeeded(output: str) -> Finding:
    return Finding(Outcome.SUCCEEDED, short(output))


def failed(output: str) -> Finding:
    return Finding(Outcome.FAILED, short(output))


def short(output: str) -> str:
    """Return what is kept of ``output``: whole characters."""
    return output.encode(errors="replace")[:LARGEST_OUTPUT].decode(errors="ignore")
