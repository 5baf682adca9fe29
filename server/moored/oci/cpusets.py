"""Lists of processors and memory nodes as the kernel writes them: ``0-3,7``."""

from __future__ import annotations


def members(text: str) -> frozenset[int]:
    """Return the numbers that a well-formed ``text`` names; an empty one names none."""
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if first:
            found.update(range(int(first), int(last if dash else first) + 1))
    return frozenset(found)
