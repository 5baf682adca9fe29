"""Mounts from the wire: each option goes with its own type, or is refused by its path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from moorage.v1 import container_pb2 as wire
from moored import errors
from moored.errors import Violation
from moored.model.mounts import Mount, MountType, Propagation

if TYPE_CHECKING:
    from collections.abc import Iterable

_TYPES: Final[dict[int, MountType]] = {
    wire.MOUNT_TYPE_BIND: MountType.BIND,
    wire.MOUNT_TYPE_VOLUME: MountType.VOLUME,
    wire.MOUNT_TYPE_TMPFS: MountType.TMPFS,
}
_PROPAGATIONS: Final[dict[int, Propagation]] = {
    wire.MOUNT_PROPAGATION_UNSPECIFIED: Propagation.PRIVATE,
    wire.MOUNT_PROPAGATION_PRIVATE: Propagation.PRIVATE,
    wire.MOUNT_PROPAGATION_SLAVE: Propagation.SLAVE,
    wire.MOUNT_PROPAGATION_SHARED: Propagation.SHARED,
}
_OPTIONS: Final = ("bind", "volume", "tmpfs")


def mounts(messages: Iterable[wire.Mount]) -> tuple[Mount, ...]:
    return tuple(_mount(f"spec.mounts[{n}]", message) for n, message in enumerate(messages))


def _mount(field: str, message: wire.Mount) -> Mount:
    kind = _TYPES.get(message.type)
    if kind is None:
        raise _refused(f"{field}.type", message.type)
    for options in _OPTIONS:
        if message.HasField(options) and options != kind:
            found = Violation(f"{field}.{options}", f"does not go with {kind.upper()}")
            raise errors.InvalidField(f"cannot read request: {found.field} {found.why}", found)
    propagation = _PROPAGATIONS.get(message.bind.propagation)
    if propagation is None:
        raise _refused(f"{field}.bind.propagation", message.bind.propagation)
    return Mount(
        kind,
        message.destination,
        source=message.source,
        read_only=message.read_only,
        recursive=not message.bind.non_recursive,
        propagation=propagation,
        create_source=message.bind.create_source,
        no_copy=message.volume.no_copy,
        labels=dict(message.volume.labels),
        size=message.tmpfs.size,
        mode=message.tmpfs.mode if message.tmpfs.HasField("mode") else None,
        executable=message.tmpfs.exec,
    )


def _refused(field: str, number: int) -> errors.FieldsRefused:
    if not number:
        return errors.InvalidField(
            f"cannot read request: {field} is required", Violation(field, "is required")
        )
    return errors.NotServed(
        f"cannot serve {field}: {number} is not known here", Violation(field, "is not known here")
    )
