"""What a spec may ask for, by role. The defaults are what nobody has to be trusted for.

A rule's name is its field's here, its key in the policy's file, and what a refusal names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

LOCAL: Final = "local"
"""Whoever may open the unix socket, or comes over the loopback."""
ROLES: Final = frozenset({LOCAL})


@dataclass(frozen=True)
class Allowance:
    """What one role may ask for beyond what every container may have."""

    host_network: bool = False
    host_ipc: bool = False
    host_pid: bool = False
    host_uts: bool = False
    low_oom_score: bool = False
    """An oom_score_adjust below 0: others are ended first."""
    bind_roots: tuple[str, ...] = ()
    """Directories of the host's at or below which the sources of bind mounts lie."""


@dataclass(frozen=True)
class Policy:
    roles: Mapping[str, Allowance] = field(default_factory=dict)

    def of(self, role: str) -> Allowance:
        return self.roles.get(role, Allowance())
