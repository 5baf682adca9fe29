"""What was done and what befell, with times: a line each, in a file that outlives the test."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path


class Journal:
    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self.counts: Final[Counter[str]] = Counter()
        """How often each of a verb or a trouble ended in which way."""
        self.wrong: Final[list[str]] = []
        """What should not have been."""
        self._file = path.open("w", buffering=1)
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def note(self, who: str, what: object, outcome: str, *, about: str = "") -> None:
        """Write one line. ``what`` is counted by its first word, and how it ended."""
        row = {"at": round(self.seconds, 3), "who": who, "what": str(what), "outcome": outcome}
        self._file.write(json.dumps(row | ({"about": about} if about else {})) + "\n")
        self.counts[f"{str(what).partition(' ')[0]}: {outcome}"] += 1

    def complain(self, what: str) -> None:
        self.wrong.append(what)
        self.note("test", "complaint", "wrong", about=what)

    def close(self) -> None:
        self._file.close()
