"""Wishes about security, from the model's values onto the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from moorage.v1 import security_pb2 as wire
from moored.model.security import DEFAULT_PATHS, DEFAULT_SECCOMP

if TYPE_CHECKING:
    from moored.model.spec import Spec

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
        "sysctls": spec.sysctls,
        "system_paths": None
        if paths == DEFAULT_PATHS
        else wire.SystemPaths(
            masked=paths.masked, read_only=paths.read_only, unconfined=paths.unconfined
        ),
    }
