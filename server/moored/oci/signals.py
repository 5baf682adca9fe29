"""Signals by every name that callers use for them: ``SIGTERM``, ``term``, ``15``, ``RTMIN+3``."""

from __future__ import annotations

import re
import signal
from typing import Final

LAST: Final = 64
_NUMBER: Final = re.compile(r"[0-9]{1,2}")
_REAL_TIME: Final = re.compile(r"RTM(?:IN(?:\+([0-9]{1,2}))?|AX(?:-([0-9]{1,2}))?)")
_NAMES: Final = {name.removeprefix("SIG"): int(s) for name, s in signal.Signals.__members__.items()}
_FIRST_REAL_TIME: Final = _NAMES["RTMIN"]


def parse(text: str) -> int | None:
    """Return the number of the signal that ``text`` names, or None if it names none."""
    if _NUMBER.fullmatch(text):
        return int(text) if 0 < int(text) <= LAST else None
    name = text.upper().removeprefix("SIG")
    if match := _REAL_TIME.fullmatch(name):
        up, down = match.groups()
        number = _FIRST_REAL_TIME + int(up or 0) if "MIN" in name else LAST - int(down or 0)
        return number if _FIRST_REAL_TIME <= number <= LAST else None
    return _NAMES.get(name)


def name(number: int) -> str:
    """Return the usual name of a signal, or its number where it has none."""
    if _FIRST_REAL_TIME < number < LAST:
        return f"SIGRTMIN+{number - _FIRST_REAL_TIME}"
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
