"""The capability sets of a process.

A user other than root gets its container's as an upper bound only, for what a setuid program
may still gain: just what an execve by that user leaves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from moored.model import capabilities
from moored.model.capabilities import DEFAULT as DEFAULT

if TYPE_CHECKING:
    from moored.model.spec import Spec


def of_spec(spec: Spec, available: frozenset[str]) -> frozenset[str]:
    """Return what a container's processes may have; ``available`` is what the host can give."""
    if spec.privileged:
        return available
    return capabilities.granted(spec.capabilities_add, spec.capabilities_drop, available)


def is_available(name: str, available: frozenset[str]) -> bool:
    return capabilities.normal(name) in available | {capabilities.ALL}


def of_process(uid: int, capabilities: frozenset[str] = DEFAULT) -> dict[str, list[str]]:
    """Return the capability sets of a process of ``uid``. Nothing is inheritable or ambient."""
    granted = sorted(capabilities)
    if uid != 0:
        return {"bounding": granted}
    return {"bounding": granted, "effective": granted, "permitted": granted}
