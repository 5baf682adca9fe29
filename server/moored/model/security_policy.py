"""Which wishes about security go beyond what a role may have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from moored.model import capabilities, cgroup_places
from moored.model.capabilities import ALL, DEFAULT
from moored.model.policy import Allowance, Forbidden
from moored.model.spec import Spec


def forbidden(spec: Spec, allowed: Allowance) -> Iterator[Forbidden]:
    yield from _capabilities(spec, allowed)
    yield from _devices(spec, allowed)
    if spec.privileged and not allowed.privileged:
        yield Forbidden("privileged", "privileged", "a privileged container")
    if spec.seccomp.unconfined and allowed.seccomp != "unconfined":
        yield Forbidden("seccomp.unconfined", "seccomp", "containers without a filter")
    if spec.system_paths.unconfined and not allowed.system_paths:
        yield Forbidden("system_paths.unconfined", "system_paths", "all of /proc and /sys")
    parent = spec.cgroup_parent
    if parent and not cgroup_places.lies_at_or_below(parent, allowed.cgroup_parents):
        yield Forbidden("cgroup_parent", "cgroup_parents", f"cgroup {parent!r} as the parent")
    profile = spec.apparmor_profile
    if profile and profile not in allowed.apparmor_profiles:
        yield Forbidden("apparmor_profile", "apparmor_profiles", f"AppArmor profile {profile!r}")


def _capabilities(spec: Spec, allowed: Allowance) -> Iterator[Forbidden]:
    may = {capabilities.normal(name) for name in allowed.capabilities}
    for number, name in enumerate(spec.capabilities_add):
        if capabilities.normal(name) not in may | DEFAULT and ALL not in may:
            field = f"capabilities_add[{number}]"
            yield Forbidden(field, "capabilities", f"capability {name!r}")


def _devices(spec: Spec, allowed: Allowance) -> Iterator[Forbidden]:
    for number, device in enumerate(spec.devices):
        if not _fits(device.source, allowed.devices):
            field = f"devices[{number}].source"
            yield Forbidden(field, "devices", f"device {device.source!r}")
    for number, name in enumerate(spec.cdi_devices):
        if not _fits(name, allowed.cdi_devices):
            yield Forbidden(f"cdi_devices[{number}]", "cdi_devices", f"device {name!r}")
    if spec.device_rules and not allowed.device_rules:
        yield Forbidden("device_rules", "device_rules", "rules for devices")


def _fits(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
