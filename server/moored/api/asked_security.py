"""Wishes about security, from the wire into the model's values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from moorage.v1 import security_pb2 as wire
from moored import errors
from moored.errors import Violation
from moored.model.id_maps import IdMapping
from moored.model.security import Device, DeviceRule, Seccomp, SystemPaths

if TYPE_CHECKING:
    from moorage.v1.container_pb2 import ContainerSpec

_TYPES: Final[dict[int, str]] = {
    wire.DEVICE_TYPE_UNSPECIFIED: "",
    wire.DEVICE_TYPE_CHARACTER: "c",
    wire.DEVICE_TYPE_BLOCK: "b",
}


_REFUSED: Final = {
    "selinux_label": "is SELinux's, which is not served",
}
"""Fields that are there to be refused by name, and why."""


def security(message: ContainerSpec) -> dict[str, Any]:
    """Return the fields of the model's spec that are about security and devices."""
    for name, why in _REFUSED.items():
        if getattr(message, name):
            raise errors.NotServed(
                f"cannot serve spec.{name}: it {why}", Violation(f"spec.{name}", why)
            )
    return {
        "init": message.init,
        "devices": tuple(Device(d.source, d.destination, d.access) for d in message.devices),
        "cdi_devices": tuple(message.cdi_devices),
        "device_rules": tuple(_rule(n, rule) for n, rule in enumerate(message.device_rules)),
        "capabilities_add": tuple(message.capabilities_add),
        "capabilities_drop": tuple(message.capabilities_drop),
        "no_new_privileges": message.no_new_privileges,
        "privileged": message.privileged,
        "seccomp": Seccomp(message.seccomp.profile, message.seccomp.unconfined),
        "apparmor_profile": message.apparmor_profile,
        "cgroup_parent": message.cgroup_parent,
        "user_namespace": message.user_namespace,
        "uid_mappings": tuple(map(_mapping, message.uid_mappings)),
        "gid_mappings": tuple(map(_mapping, message.gid_mappings)),
        "sysctls": dict(message.sysctls),
        "system_paths": SystemPaths(
            tuple(message.system_paths.masked),
            tuple(message.system_paths.read_only),
            message.system_paths.unconfined,
        ),
    }


def _mapping(mapping: wire.IdMapping) -> IdMapping:
    return IdMapping(mapping.inside, mapping.host, mapping.size)


def _rule(number: int, rule: wire.DeviceRule) -> DeviceRule:
    if rule.type not in _TYPES:
        field = f"spec.device_rules[{number}].type"
        raise errors.NotServed(
            f"cannot serve {field}: {rule.type} is not known here",
            Violation(field, "is not known here"),
        )
    return DeviceRule(
        type=_TYPES[rule.type],
        major=rule.major if rule.HasField("major") else None,
        minor=rule.minor if rule.HasField("minor") else None,
        access=rule.access,
    )
