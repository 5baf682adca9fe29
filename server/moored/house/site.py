"""What the house stands on: what was found on this machine before anything was built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

    from moored.config import Settings
    from moored.containerd.places import Places
    from moored.saga import Clock
    from moored.verbs.admission import Runtimes


@dataclass(frozen=True, kw_only=True)
class Site:
    """What the house stands on."""

    settings: Settings
    address: str
    """Of containerd's socket."""
    places: Places
    runtimes: Runtimes
    tracer: Tracer
    clock: Clock
