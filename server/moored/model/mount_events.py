"""What is told of a run's volumes: each is mounted as the run begins, and gone with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moored.model.events import VolumeMounted, VolumeUnmounted
from moored.model.mounts import placed, volumes

if TYPE_CHECKING:
    from moored.model.state import Snapshot


def mounted(snapshot: Snapshot) -> tuple[VolumeMounted, ...]:
    places = placed(snapshot.id, snapshot.spec, snapshot.image)
    return tuple(
        VolumeMounted(one.volume, one.destination, one.mount.read_only) for one in volumes(places)
    )


def unmounted(snapshot: Snapshot) -> tuple[VolumeUnmounted, ...]:
    return tuple(
        VolumeUnmounted(one.volume, one.destination, one.read_only) for one in mounted(snapshot)
    )
