"""Which role a caller has: by the one URI in the certificate, and by nothing else in it.

Laws: a certificate counts with exactly one URI; names of hosts, addresses and the subject never
count. An exact entry goes before a pattern, a longer pattern before a shorter one. ``*`` stands
only at the end of a pattern, after a ``/``, for anything below. A URI has no role if it holds
anything that somebody could read in another way: escapes, queries, empty parts, commas, stars.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LONGEST: Final = 2048
"""Characters of a SPIFFE id."""
_URI: Final = re.compile(r"[a-z][a-z0-9+.-]*://[A-Za-z0-9._:-]+(?:/[A-Za-z0-9._~:@+-]+)*")
_BELOW: Final = "/*"


def fault(uri: str) -> str:
    """Return why ``uri`` names nobody, or an empty text."""
    if len(uri) > _LONGEST:
        return f"is longer than {_LONGEST} characters"
    if not _URI.fullmatch(uri):
        return "is no plain URI: scheme://name/path, without escapes, queries or empty parts"
    if {".", ".."} & set(uri.split("/")):
        return "has a part '.' or '..'"
    return ""


def pattern_fault(pattern: str) -> str:
    """Return why ``pattern`` cannot stand in a policy, or an empty text."""
    plain = pattern.removesuffix(_BELOW)
    if "*" in plain:
        return "has a '*' elsewhere than in '/*' at its end"
    return fault(plain)


def fits(uri: str, pattern: str) -> bool:
    if pattern.endswith(_BELOW):
        return uri.startswith(pattern[:-1]) and len(uri) >= len(pattern)
    return uri == pattern


def role_of(uri: str, identities: Mapping[str, str]) -> str | None:
    """Return the role that ``identities`` gives to ``uri``; None: it has none."""
    if fault(uri):
        return None
    if uri in identities:
        return identities[uri]
    found = [pattern for pattern in identities if pattern.endswith(_BELOW) and fits(uri, pattern)]
    return identities[max(found, key=len)] if found else None


def is_one_of(uri: str, patterns: Sequence[str]) -> bool:
    return not fault(uri) and any(fits(uri, pattern) for pattern in patterns)
