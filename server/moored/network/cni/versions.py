"""Which versions of the CNI specification are spoken here, and what each of them added."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

KNOWN: Final = ("0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")
"""Oldest first. Older ones have another form of result."""


def highest(*offers: Collection[str]) -> str | None:
    """Return the newest version that is known here and in each of ``offers``."""
    common = [version for version in KNOWN if all(version in offer for offer in offers)]
    return common[-1] if common else None


def has_check(version: str) -> bool:
    """Whether there is CHECK, and DEL is told the result of ADD."""
    return _since(version, "0.4.0")


def has_gc(version: str) -> bool:
    """Whether there are GC and STATUS."""
    return _since(version, "1.1.0")


def tells_family(version: str) -> bool:
    """Whether a result says of each address if it is of IPv4 or IPv6."""
    return not _since(version, "1.0.0")


def _since(version: str, first: str) -> bool:
    return KNOWN.index(version) >= KNOWN.index(first)
