"""What a volume is, and which ones a caller means."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from moored.model.identity import RunId


@dataclass(frozen=True)
class Volume:
    """Its content is elsewhere, and nobody's business here."""

    name: str
    created: datetime
    labels: dict[str, str] = field(default_factory=dict)
    anonymous: bool = False
    born: RunId | None = None
    """The run whose start made it. None: a caller of VolumeService did."""
    request: str = ""
    """The request that made it, if it named itself."""


@dataclass(frozen=True)
class VolumeFilter:
    labels: tuple[tuple[str, str | None], ...] = ()
    """Key and value; None: whatever the value is."""
    names: frozenset[str] = frozenset()
    in_use: bool | None = None
    anonymous: bool | None = None

    def fits(self, volume: Volume, *, in_use: bool) -> bool:
        return (
            (not self.names or volume.name in self.names)
            and self.in_use in (None, in_use)
            and self.anonymous in (None, volume.anonymous)
            and all(
                key in volume.labels and value in (None, volume.labels[key])
                for key, value in self.labels
            )
        )
