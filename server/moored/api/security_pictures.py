"""Wishes about security, from the model's values onto the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from moorage.v1 import security_pb2 as wire
from moored.model import id_maps
from moored.model.security import DEFAULT_PATHS, DEFAULT_SECCOMP

if TYPE_CHECKING:
    from collections.abc import Iterable

    from moored.model.id_maps import IdMapping
    from moored.model.spec import Spec
    from moored.model.state import Snapshot

_TYPES: Final = {
    "": wire.DEVICE_TYPE_UNSPECIFIED,
    "c": wire.DEVICE_TYPE_CHARACTER,
    "b": wire.DEVICE_TYPE_BLOCK,
}


def security(spec: Spec) -> dict[str, Any]:
    """Return the fields of ContainerSpec that are about security and devices."""
    seccomp, paths = spec.seccomp, spec.system_paths
    return {
        "init": spec.init,
        "devices": [
            wire.Device(source=d.source, destination=d.destination, access=d.access)
            for d in spec.devices
        ],
        "cdi_devices": spec.cdi_devices,
        "device_rules": [
            wire.DeviceRule(
                type=_TYPES[rule.type], major=rule.major, minor=rule.minor, access=rule.access
            )
            for rule in spec.device_rules
        ],
        "capabilities_add": spec.capabilities_add,
        "capabilities_drop": spec.capabilities_drop,
        "no_new_privileges": spec.no_new_privileges,
        "privileged": spec.privileged,
        "seccomp": None
        if seccomp == DEFAULT_SECCOMP
        else wire.Seccomp(profile=seccomp.profile, unconfined=seccomp.unconfined),
        "apparmor_profile": spec.apparmor_profile,
        "selinux_label": spec.selinux_label,
        "cgroup_parent": spec.cgroup_parent,
        "user_namespace": spec.user_namespace,
        "uid_mappings": _mappings(spec.uid_mappings),
        "gid_mappings": _mappings(spec.gid_mappings),
        "sysctls": spec.sysctls,
        "system_paths": None
        if paths == DEFAULT_PATHS
        else wire.SystemPaths(
            masked=paths.masked, read_only=paths.read_only, unconfined=paths.unconfined
        ),
    }


def user_namespace(snapshot: Snapshot) -> dict[str, Any]:
    """Return the fields of ContainerStatus that are about its user namespace."""
    maps = id_maps.of(snapshot)
    if maps is None:
        return {}
    return {"uid_mappings": _mappings(maps.uids), "gid_mappings": _mappings(maps.gids)}


def _mappings(mappings: Iterable[IdMapping]) -> list[wire.IdMapping]:
    return [wire.IdMapping(inside=m.inside, host=m.host, size=m.size) for m in mappings]
