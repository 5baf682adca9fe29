"""Events as they go on the wire: built once for each tiding, whoever watches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from moorage.v1 import container_pb2
from moorage.v1 import container_service_pb2 as service
from moorage.v1 import event_pb2 as wire
from moored.api import health_pictures, pictures
from moored.model import events, tidings

if TYPE_CHECKING:
    from moored.model.tidings import Tiding

KINDS: Final[dict[str, wire.EventKind]] = {
    tidings.CREATED: wire.EVENT_KIND_CREATED,
    tidings.REMOVED: wire.EVENT_KIND_REMOVED,
    events.StartRequested.__name__: wire.EVENT_KIND_START_REQUESTED,
    events.Started.__name__: wire.EVENT_KIND_STARTED,
    events.StartUndone.__name__: wire.EVENT_KIND_START_FAILED,
    events.StopRequested.__name__: wire.EVENT_KIND_STOP_REQUESTED,
    events.Paused.__name__: wire.EVENT_KIND_PAUSED,
    events.Resumed.__name__: wire.EVENT_KIND_RESUMED,
    events.TaskExited.__name__: wire.EVENT_KIND_EXITED,
    events.OutOfMemory.__name__: wire.EVENT_KIND_OUT_OF_MEMORY,
    events.RestartScheduled.__name__: wire.EVENT_KIND_RESTART_SCHEDULED,
    events.RestartCancelled.__name__: wire.EVENT_KIND_RESTART_CANCELLED,
    events.OutputLost.__name__: wire.EVENT_KIND_OUTPUT_LOST,
    events.HealthChanged.__name__: wire.EVENT_KIND_HEALTH_CHANGED,
    events.Interfered.__name__: wire.EVENT_KIND_INTERFERED,
    events.SpecUpdated.__name__: wire.EVENT_KIND_UPDATED,
    events.Renamed.__name__: wire.EVENT_KIND_RENAMED,
    events.RemoveRequested.__name__: wire.EVENT_KIND_REMOVE_REQUESTED,
    events.VolumeMounted.__name__: wire.EVENT_KIND_VOLUME_MOUNTED,
    events.VolumeUnmounted.__name__: wire.EVENT_KIND_VOLUME_UNMOUNTED,
    events.ResourcesReleased.__name__: wire.EVENT_KIND_RESOURCES_RELEASED,
}
_HEALTH: Final = {str(state): number for state, number in health_pictures.STATES.items()}
_STATES: Final = {kind.__name__: number for kind, number in pictures.STATES.items()}


class Announcements:
    def __init__(self) -> None:
        self._bytes: WeakKeyDictionary[Tiding, bytes] = WeakKeyDictionary()

    def item(self, tiding: Tiding) -> bytes:
        """Return ``tiding`` as an answer of Watch."""
        known = self._bytes.get(tiding)
        if known is None:
            answer = service.WatchResponse(event=event(tiding))
            known = self._bytes[tiding] = answer.SerializeToString()
        return known


def event(tiding: Tiding) -> wire.Event:
    return wire.Event(
        revision=tiding.revision,
        time=pictures.time(tiding.at),
        kind=KINDS[tiding.kind],
        container=tiding.container,
        name=tiding.name,
        labels=tiding.labels,
        image=tiding.image,
        run=tiding.run,
        state=_STATES[tiding.state],
        exit=pictures.ended(tiding.exit) if tiding.exit else None,
        error=pictures.failed(tiding.failure) if tiding.failure else None,
        restart=_restart(tiding.due) if tiding.due else None,
        message=tiding.message,
        volume=_mounted(tiding.mounted) if tiding.mounted else None,
        health=_HEALTH[tiding.health] if tiding.health else None,
    )


def _restart(due: tidings.Due) -> container_pb2.PendingRestart:
    return container_pb2.PendingRestart(due_time=pictures.time(due.at), attempt=due.attempt)


def _mounted(it: tidings.Mounted) -> wire.MountedVolume:
    return wire.MountedVolume(name=it.volume, destination=it.destination, read_only=it.read_only)
