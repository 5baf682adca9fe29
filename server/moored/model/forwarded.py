"""What a proxy says about its own caller: the header ``x-forwarded-client-cert``.

Elements are separated by commas, the newest last, their pairs by semicolons; a value may stand in
double quotes, within which a backslash takes the next character as it is. Only the last element
counts: the trusted proxy itself wrote that one, of the certificate that it has verified. What
cannot be read, or could be read in two ways, is refused whole.
"""

from __future__ import annotations

import re
from typing import Final

HEADER: Final = "x-forwarded-client-cert"
_LONGEST: Final = 32 * 1024
_AMBIGUOUS: Final = '\\\\"'
_KEY: Final = re.compile(r"[A-Za-z]+")


class Malformed(ValueError):
    """A header that is none."""


def uris(header: str) -> tuple[str, ...]:
    """Return the URIs of the last element, which is of whoever called the last proxy."""
    if len(header) > _LONGEST:
        raise Malformed(f"is longer than {_LONGEST} characters")
    if _AMBIGUOUS in header:  # some take only the quote for escaped, and read on
        raise Malformed("has an escaped backslash before a quote")
    last = _split(header, ",")[-1]
    found = []
    for pair in _split(last, ";"):
        key, equals, value = pair.partition("=")
        if not equals or not _KEY.fullmatch(key.strip()):
            raise Malformed(f"{pair[:64]!r} is no KEY=VALUE")
        if key.strip().lower() == "uri":
            found.append(_plain(value.strip()))
    return tuple(uri for uri in found if uri)


def _split(text: str, separator: str) -> list[str]:
    """Split where ``separator`` stands outside of quotes."""
    parts, begin, quoted, at = list[str](), 0, False, 0
    while at < len(text):
        match text[at]:
            case "\\" if quoted:
                at += 1
            case '"':
                quoted = not quoted
            case found if found == separator and not quoted:
                parts.append(text[begin:at])
                begin = at + 1
            case _:
                pass
        at += 1
    if quoted:
        raise Malformed("has a quote without its end")
    return [*parts, text[begin:]]


def _plain(value: str) -> str:
    if not value.startswith('"'):
        if '"' in value:
            raise Malformed("has a quote within a value")
        return value
    if len(value) < 2 or not value.endswith('"'):
        raise Malformed("has a quote within a value")
    inner = value[1:-1]
    if '"' in re.sub(r"\\.", "", inner):
        raise Malformed("has a quote within a value")
    return re.sub(r"\\(.)", r"\1", inner)
