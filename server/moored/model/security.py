"""What lets a container out of its walls, or keeps it closer: values only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

UNCONFINED: Final = "unconfined"
FULL_ACCESS: Final = "rwm"


@dataclass(frozen=True)
class Device:
    source: str
    destination: str = ""
    """Empty: as source."""
    access: str = ""
    """Empty: FULL_ACCESS."""


@dataclass(frozen=True)
class DeviceRule:
    type: str = ""
    """c, b, or empty for both."""
    major: int | None = None
    """None: any."""
    minor: int | None = None
    access: str = ""


@dataclass(frozen=True)
class Seccomp:
    profile: str = ""
    """As JSON. Empty: the default."""
    unconfined: bool = False


@dataclass(frozen=True)
class SystemPaths:
    masked: tuple[str, ...] = ()
    read_only: tuple[str, ...] = ()
    unconfined: bool = False


DEFAULT_SECCOMP: Final = Seccomp()
DEFAULT_PATHS: Final = SystemPaths()
