"""What the house stands on: what was found on this machine before anything was built."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from moored.failpoints import NONE, Failpoints
from moored.policy_book import PolicyBook
from moored.storage.mounting import HostKernel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.trace import Tracer

    from moored.config import Settings
    from moored.containerd.places import Places
    from moored.oci.host_hooks import HostHook
    from moored.saga import Clock
    from moored.storage.mounting import Kernel
    from moored.telemetry.measures import Measures
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
    measures: Measures
    silent: bool = False
    """Whether containerd kept moored waiting for its first answer."""
    failpoints: Failpoints = NONE
    clock: Clock
    kernel: Kernel = field(default_factory=HostKernel)
    policies: PolicyBook = field(default_factory=PolicyBook)
    hooks: Sequence[HostHook] = ()
    """The host's, for containers that they are meant for."""
