"""What a spec may ask for, by role. The defaults are what nobody has to be trusted for.

A rule's name is its field's here, its key in the policy's file, and what a refusal names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from moored.units import ids

LOCAL: Final = "local"
"""Whoever may open the unix socket, or comes over the loopback without TLS."""
OPERATOR: Final = "operator"
"""Calls everything, within its own allowance."""
VIEWER: Final = "viewer"
"""Reads."""
ROLES: Final = frozenset({LOCAL, OPERATOR, VIEWER})
"""Those that are there without a policy."""


@dataclass(frozen=True)
class Allowance:
    """What one role may ask for beyond what every container may have."""

    host_network: bool = False
    host_ipc: bool = False
    host_pid: bool = False
    host_uts: bool = False
    privileged: bool = False
    """Everything at once."""
    privileged_exec: bool = False
    """Every capability for a command in a container that has fewer."""
    capabilities: tuple[str, ...] = ()
    """Those that may be added to the default ones; "ALL" for any."""
    devices: tuple[str, ...] = ()
    """Patterns of paths of the host's devices: "/dev/fuse", "/dev/snd/*"."""
    device_rules: bool = False
    cdi_devices: tuple[str, ...] = ()
    """Patterns of their names: "vendor.com/gpu=*"."""
    seccomp: Literal["default", "custom", "unconfined"] = "default"
    """How far from the default filter: stricter profiles are always allowed."""
    apparmor_profiles: tuple[str, ...] = ()
    """Also "unconfined"."""
    system_paths: bool = False
    """To hide and protect nothing of /proc and /sys."""
    cni_args: bool = False
    """What is told to plugins as it stands: they may take it for more than an option."""
    low_oom_score: bool = False
    """An oom_score_adjust below 0: others are ended first."""
    bind_roots: tuple[str, ...] = ()
    """Directories of the host's at or below which the sources of bind mounts lie."""
    cgroup_parents: tuple[str, ...] = ()
    """Cgroups of the host's in which, or below which, those of runs may lie."""
    secret_roots: tuple[str, ...] = ()
    """Directories of the host's below which the files of secrets and configs lie."""
    id_ranges: tuple[str, ...] = ()
    """Ids of the host's that may be mapped into user namespaces, as FIRST:COUNT."""

    def __post_init__(self) -> None:
        self.ranges_of_ids  # noqa: B018  # a range that is none is refused

    @property
    def ranges_of_ids(self) -> list[tuple[int, int]]:
        """Return the first and the number of each of ``id_ranges``. Raises ValueError."""
        return [ids(text) for text in self.id_ranges]


@dataclass(frozen=True)
class Policy:
    roles: Mapping[str, Allowance] = field(default_factory=dict)
    methods: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The full names of what each role of the policy's own may call."""
    identities: Mapping[str, str] = field(default_factory=dict)
    """URI or pattern -> role."""
    trusted_proxies: tuple[str, ...] = ()
    """URIs or patterns of those who may say who their own caller is."""

    anonymous: str = ""
    """The role of callers whom nobody asks for a certificate. Empty: they have none."""

    def of(self, role: str) -> Allowance:
        return self.roles.get(role, Allowance())


@dataclass(frozen=True)
class Forbidden:
    """A field that the policy does not allow: its path, the rule's name, and what is asked for."""

    field: str
    rule: str
    what: str
