"""From which level on each part of moored is heard: ``info,moored.network=debug``.

One level without a name is everybody's; a name is a module's, and of all below it.
"""

from __future__ import annotations

import re
from typing import Final

LEVELS: Final = ("trace", "debug", "info", "warning", "error")
_NAME: Final = re.compile(r"[a-zA-Z_][\w-]*(\.\w+)*")


def parse(text: str) -> dict[str, str]:
    """Return the level of each module by its name, everybody's by none. Raises ValueError."""
    found: dict[str, str] = {}
    for part in text.split(","):
        name, equals, level = (word.strip() for word in part.rpartition("="))
        level = level.lower()
        if level not in LEVELS:
            raise ValueError(f"{part.strip()!r}: a level is one of {', '.join(LEVELS)}")
        if equals and not _NAME.fullmatch(name):
            raise ValueError(f"{part.strip()!r} must be LEVEL, or MODULE=LEVEL")
        if name in found:
            raise ValueError(f"{repr(name) if name else 'the level of all'} is said twice")
        found[name] = level
    return {"": "info", **found}


def lowest(levels: dict[str, str]) -> str:
    """Return the level below which nobody is heard."""
    return min(levels.values(), key=LEVELS.index)
