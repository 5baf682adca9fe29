"""What this host is and can do, as far as a runtime spec depends on it.

Looked at again for every start, since a host changes under a service that runs for months:
that is why looking is cheap.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from moored.errors import Violation
from moored.model.capabilities import DEFAULT, of_mask
from moored.oci import cgroups, resources
from moored.oci.capacity import Capacity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moored.model.spec import Spec

NAMESPACES: Final = {"pid": "pid", "ipc": "ipc", "uts": "uts", "mount": "mnt", "network": "net"}
"""What the runtime spec calls the namespaces of every run: what the kernel calls them."""
PRIVATE_NETWORK_SYSCTLS: Final = {
    "net.ipv4.ip_unprivileged_port_start": "0",
    "net.ipv4.ping_group_range": "0 2147483647",
}
"""Harmless where the network is one's own: low ports and ping without any privilege."""
_NEEDED_V1: Final = frozenset({"devices", "freezer"})
_ADJUST_OOM_SCORE: Final = 24
"""CAP_SYS_RESOURCE."""
_PROFILES: Final = Path("/sys/kernel/security/apparmor/profiles")
_SYSCTLS: Final = Path("/proc/sys")
_SWAPS: Final = Path("/proc/swaps")


class CgroupMode(StrEnum):
    NONE = "none"
    V1 = "v1"
    V2 = "v2"
    HYBRID = "hybrid"
    """Controllers by v1, with a v2 hierarchy beside them."""


@dataclass(frozen=True)
class Host:
    architecture: str
    """As uname calls it: x86_64, aarch64."""
    kernel: str
    name: str
    cgroup_mode: CgroupMode
    controllers: frozenset[str]
    namespaces: frozenset[str]
    """In the kernel's own words: mnt, net."""
    seccomp: bool
    apparmor: bool
    sysctls: frozenset[str]
    """Those of PRIVATE_NETWORK_SYSCTLS that this kernel has."""
    thermal_throttles: tuple[str, ...]
    """Counters that betray what other tenants of the processors do."""
    lowers_oom_score: bool
    """Whether a process may be given the ordinary score, whatever it inherited."""
    limits_swap: bool
    """Whether a limit of memory can be one of swap too."""
    swaps: bool
    """Whether there is any swap."""
    capabilities: frozenset[str] = DEFAULT
    """What moored has, and so can give."""
    apparmor_profiles: frozenset[str] = frozenset()
    """Those that are loaded."""
    capacity: Capacity = field(default_factory=Capacity)

    @classmethod
    def look(cls) -> Host:
        mounted = cgroups.hierarchies()
        system = os.uname()
        return cls(
            architecture=system.machine,
            kernel=system.release,
            name=system.nodename,
            cgroup_mode=mode_of(mounted),
            controllers=frozenset[str]().union(*(h.controllers for h in mounted)),
            namespaces=frozenset(os.listdir("/proc/self/ns")),
            seccomp=_seccomp(),
            apparmor=_apparmor(),
            sysctls=_sysctls(),
            thermal_throttles=_thermal_throttles(),
            lowers_oom_score=_lowers_oom_score(),
            limits_swap=_limits_swap(mounted),
            swaps=_swaps(),
            capabilities=_capabilities(),
            apparmor_profiles=_apparmor_profiles() if _apparmor() else frozenset(),
            capacity=Capacity.look(mounted),
        )

    def verify(self, spec: Spec) -> list[Violation]:
        """Return what ``spec`` needs and this host, as it is now, does not have."""
        return [
            *self._cgroup_problems(),
            *self._namespace_problems(spec),
            *resources.violations(spec.resources, self),
            *self._process_problems(spec),
        ]

    def _cgroup_problems(self) -> Iterator[Violation]:
        if self.cgroup_mode is CgroupMode.NONE:
            yield Violation("host.cgroups", "are not mounted; mount them below /sys/fs/cgroup")
        elif self.cgroup_mode is not CgroupMode.V2:
            for controller in sorted(_NEEDED_V1 - self.controllers):
                yield Violation("host.cgroups", f"lack the {controller} controller (v1)")

    def _namespace_problems(self, spec: Spec) -> Iterator[Violation]:
        for kind, name in NAMESPACES.items():
            if name not in self.namespaces and not (kind == "network" and spec.network == "host"):
                field = "network" if kind == "network" else "host.namespaces"
                yield Violation(field, f"needs {kind} namespaces, which this kernel does not have")

    def _process_problems(self, spec: Spec) -> Iterator[Violation]:
        most = self.capacity.most_open_files
        for number, rlimit in enumerate(spec.rlimits):
            if rlimit.name == "nofile" and most and not 0 <= rlimit.hard <= most:
                yield Violation(f"rlimits[{number}].hard", f"is beyond this host's {most}")
        if spec.oom_score_adjust is not None and not self.lowers_oom_score:
            why = "needs CAP_SYS_RESOURCE, which moored does not have"
            yield Violation("oom_score_adjust", why)

    def has_sysctl(self, name: str) -> bool:
        """Whether there is such a setting; of those of single links, which come later, any."""
        parts = name.split(".")
        return "conf" in parts or "neigh" in parts or _SYSCTLS.joinpath(*parts).exists()

    def warnings(self, spec: Spec) -> list[str]:
        """Return what of ``spec`` is left out on this host, in sentences."""
        return resources.warnings(spec.resources, self)


@cache
def _capabilities() -> frozenset[str]:
    return of_mask(int(_status()["CapBnd"], 16))


def _apparmor_profiles() -> frozenset[str]:
    """Return the names of the profiles in force: a line is ``name (mode)``."""
    with suppress(OSError):
        lines = _PROFILES.read_text().splitlines()
        return frozenset(line.rpartition(" (")[0] for line in lines)
    return frozenset()


def mode_of(mounted: tuple[cgroups.Hierarchy, ...]) -> CgroupMode:
    """Return how cgroups are mounted: what a container sees and what the runtime uses."""
    unified = any(hierarchy.unified for hierarchy in mounted)
    # A hierarchy with a name only, such as systemd's, controls nothing.
    controlling = any(
        not hierarchy.unified and any(not c.startswith("name=") for c in hierarchy.controllers)
        for hierarchy in mounted
    )
    if controlling:
        return CgroupMode.HYBRID if unified else CgroupMode.V1
    return CgroupMode.V2 if unified else CgroupMode.NONE


@cache
def _status() -> dict[str, str]:
    lines = Path("/proc/self/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def _seccomp() -> bool:
    return "Seccomp_filters" in _status() or Path("/proc/sys/kernel/seccomp").exists()


def _lowers_oom_score() -> bool:
    may_adjust = bool(int(_status()["CapEff"], 16) >> _ADJUST_OOM_SCORE & 1)
    return may_adjust or int(Path("/proc/self/oom_score_adj").read_text()) <= 0


def _limits_swap(mounted: tuple[cgroups.Hierarchy, ...]) -> bool:
    for hierarchy in mounted:
        if "memory" in hierarchy.controllers and not hierarchy.unified:
            return (hierarchy.root / "memory.memsw.limit_in_bytes").exists()
    return _SWAPS.exists()


def _swaps() -> bool:
    with suppress(OSError):
        return len(_SWAPS.read_text().splitlines()) > 1  # the first names the columns
    return False


@cache
def _apparmor() -> bool:
    try:
        return Path("/sys/module/apparmor/parameters/enabled").read_text().startswith("Y")
    except OSError:
        return False


@cache
def _sysctls() -> frozenset[str]:
    return frozenset(
        name
        for name in PRIVATE_NETWORK_SYSCTLS
        if Path("/proc/sys", name.replace(".", "/")).exists()
    )


@cache
def _thermal_throttles() -> tuple[str, ...]:
    processors = Path("/sys/devices/system/cpu").glob("cpu[0-9]*/thermal_throttle")
    return tuple(sorted(map(str, processors)))
