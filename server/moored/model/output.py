"""What becomes of a container's output, and how much of it is kept. Values and rules only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from moored.errors import Violation

SMALLEST_SIZE: Final = 16 * 2**10
LARGEST_SIZE: Final = 2**40
MOST_FILES: Final = 1000


class LogDriver(StrEnum):
    FILE = "file"
    NONE = "none"
    """Nothing is captured."""


@dataclass(frozen=True)
class LogConfig:
    """What was asked for. None and 0: as the server has it."""

    driver: LogDriver | None = None
    max_size: int = 0
    """Bytes that are let go of at a time."""
    max_files: int = 0
    """How many times ``max_size`` is kept of each stream."""


AS_SERVER: Final = LogConfig()


@dataclass(frozen=True)
class Retention:
    """How much of one stream is kept: at most ``max_size`` times ``max_files`` bytes."""

    max_size: int
    max_files: int

    def floor(self, floor: int, size: int) -> int:
        """Return where what is kept has to begin, of a file of ``size`` that began at ``floor``."""
        surplus = size - floor - self.max_size * self.max_files
        return floor + self.max_size * max(0, -(-surplus // self.max_size))


@dataclass(frozen=True)
class Captures:
    """What the server does with output where a spec does not say."""

    driver: LogDriver
    server: Retention

    def keeps(self, asked: LogConfig) -> bool:
        return (asked.driver or self.driver) is LogDriver.FILE

    def retention(self, asked: LogConfig) -> Retention:
        size = asked.max_size or self.server.max_size
        return Retention(size, asked.max_files or self.server.max_files)


def violations(asked: LogConfig) -> Iterator[Violation]:
    """Yield what makes no sense; fields are those of ``log_config``."""
    if asked.max_size and not SMALLEST_SIZE <= asked.max_size <= LARGEST_SIZE:
        why = f"must be between {SMALLEST_SIZE} and {LARGEST_SIZE} bytes"
        yield Violation("log_config.max_size", why)
    if asked.max_files > MOST_FILES:
        yield Violation("log_config.max_files", f"must be at most {MOST_FILES}")
    if asked.driver is LogDriver.NONE and (asked.max_size or asked.max_files):
        yield Violation("log_config.driver", "keeps nothing whose size could be limited")
