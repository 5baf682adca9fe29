"""Hosts to plan for: one of each kind of cgroups that can limit everything, and a bare one."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from moored.oci.capacity import Capacity
from moored.oci.host import PRIVATE_NETWORK_SYSCTLS, CgroupMode, Host

_ALL: Final = frozenset({"cpu", "cpuset", "memory", "pids", "hugetlb"})
_CAPACITY: Final = Capacity(
    usable=_ALL | {"io"},
    processors=4,
    online="0-3",
    nodes="0",
    hugepages=frozenset({"2MB", "1GB"}),
    limits_processors=True,
    weighs_disks=True,
    throttles_disks=True,
    most_open_files=2**20,
)
V2: Final = Host(
    architecture="x86_64",
    kernel="6.1.0",
    name="the-host",
    cgroup_mode=CgroupMode.V2,
    controllers=_CAPACITY.usable,
    namespaces=frozenset({"pid", "ipc", "uts", "mnt", "net", "user", "cgroup"}),
    seccomp=True,
    apparmor=False,
    sysctls=frozenset(PRIVATE_NETWORK_SYSCTLS),
    thermal_throttles=(),
    lowers_oom_score=True,
    limits_swap=True,
    swaps=False,
    capacity=_CAPACITY,
)
_V1: Final = _ALL | {"blkio", "devices", "freezer", "cpuacct"}
V1: Final = replace(
    V2, cgroup_mode=CgroupMode.V1, controllers=_V1, capacity=replace(_CAPACITY, usable=_V1)
)
BARE: Final = replace(V2, controllers=frozenset(), capacity=Capacity(), limits_swap=False)
"""Cgroups are mounted, and limit nothing."""
