"""How settings are written: 10, "500ms", "1m"; 1048576, "1MiB"; ids; absolute files; words."""

from __future__ import annotations

import math
import re
from typing import Annotated, Final

from pydantic import BeforeValidator

_DURATION: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ms|s|m|h)?")
_IDS: Final = re.compile(r"[0-9]{1,10}")
_NO_ID: Final = 2**32 - 1
_DURATIONS: Final = {None: 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_SIZE: Final = re.compile(r"([0-9]+) ?(|B|KiB|MiB|GiB|TiB)")
_SIZES: Final = {"": 1, "B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


def seconds(given: object) -> object:
    if isinstance(given, str) and (match := _DURATION.fullmatch(given.strip())):
        given = float(match[1]) * _DURATIONS[match[2]]
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 < given < math.inf:
        raise ValueError('must be more than 0 seconds, such as 10, "10s" or "500ms"')
    return float(given)


def size(given: object) -> object:
    if isinstance(given, str) and (match := _SIZE.fullmatch(given.strip())):
        given = int(match[1]) * _SIZES[match[2]]
    if isinstance(given, bool) or not isinstance(given, int) or given <= 0:
        raise ValueError('must be a number of bytes, such as 1048576 or "1MiB"')
    return given


def ids(text: str) -> tuple[int, int]:
    """Return the first and the number of ids that FIRST:COUNT means; root's is in no range."""
    first, _, count = text.partition(":")
    if not (_IDS.fullmatch(first) and _IDS.fullmatch(count)):
        raise ValueError(f"{text!r} must be FIRST:COUNT, such as 100000:65536")
    if not 0 < int(first) < int(first) + int(count) <= _NO_ID:
        raise ValueError(f"{text!r} must be ids from 1 to {_NO_ID - 1}, and at least one")
    return int(first), int(count)


def absolute_file(path: str) -> str:
    if path and not path.startswith("/"):
        raise ValueError("must be the absolute path of a file")
    return path


def lower(given: object) -> object:
    return given.lower() if isinstance(given, str) else given


Seconds = Annotated[float, BeforeValidator(seconds)]
Bytes = Annotated[int, BeforeValidator(size)]
