"""Mounts and volumes as they go on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from google.protobuf.timestamp_pb2 import Timestamp

from moorage.v1 import container_pb2 as wire
from moorage.v1 import volume_service_pb2 as volume_wire
from moored.model.mounts import Mount, MountType, Propagation, placed
from moored.oci.mounts import options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moored.model.mounts import Placed
    from moored.model.state import Snapshot
    from moored.model.volumes import Volume

_TYPES: Final = {
    MountType.BIND: wire.MOUNT_TYPE_BIND,
    MountType.VOLUME: wire.MOUNT_TYPE_VOLUME,
    MountType.TMPFS: wire.MOUNT_TYPE_TMPFS,
}
_PROPAGATIONS: Final = {
    Propagation.PRIVATE: wire.MOUNT_PROPAGATION_PRIVATE,
    Propagation.SLAVE: wire.MOUNT_PROPAGATION_SLAVE,
    Propagation.SHARED: wire.MOUNT_PROPAGATION_SHARED,
}


def asked(mount: Mount) -> wire.Mount:
    """Return a mount of a spec."""
    message = wire.Mount(
        type=_TYPES[mount.type],
        source=mount.source,
        destination=mount.destination,
        read_only=mount.read_only,
    )
    match mount.type:
        case MountType.BIND:
            message.bind.non_recursive = not mount.recursive
            message.bind.propagation = _PROPAGATIONS[mount.propagation]
            message.bind.create_source = mount.create_source
        case MountType.VOLUME:
            message.volume.no_copy = mount.no_copy
            message.volume.labels.update(mount.labels)
        case MountType.TMPFS:
            message.tmpfs.size = mount.size
            message.tmpfs.exec = mount.executable
            if mount.mode is not None:
                message.tmpfs.mode = mount.mode
    return message


def status(snapshot: Snapshot) -> list[wire.MountStatus]:
    return [_one(place) for place in placed(snapshot.id, snapshot.spec, snapshot.image)]


def _one(place: Placed) -> wire.MountStatus:
    return wire.MountStatus(
        destination=place.destination,
        type=place.mount.type,
        source=place.volume or place.mount.source,
        options=options(place.mount),
    )


def volume(volume: Volume, path: str, users: Sequence[str]) -> volume_wire.Volume:
    created = Timestamp()
    created.FromDatetime(volume.created)
    return volume_wire.Volume(
        name=volume.name,
        labels=volume.labels,
        create_time=created,
        anonymous=volume.anonymous,
        containers=users,
        path=path,
    )
