"""What people are shown of an event: one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moorage.cli.health_views import health_word
from moorage.cli.texts import plain
from moorage.cli.times import moment
from moorage.cli.views import SHORT, exit_line
from moorage.v1.event_pb2 import EventKind

if TYPE_CHECKING:
    from moorage.v1.event_pb2 import Event


def line(event: Event) -> str:
    """Return an event's revision, time, container and what happened."""
    container = event.container[:SHORT]
    words = (
        str(event.revision),
        moment(event.time),
        f"{container} ({event.name})" if event.name else container,
        _kind(event),
    )
    return plain("  ".join(words))


def _kind(event: Event) -> str:
    try:
        name = EventKind.Name(event.kind)
    except ValueError:  # a newer server's
        name = str(event.kind)
    kind = name.removeprefix("EVENT_KIND_").lower().replace("_", " ")
    if event.HasField("exit"):
        return f"{kind}: {exit_line(event.exit)}"
    if event.HasField("error"):
        return f"{kind}: {event.error.message}"
    if event.HasField("volume"):
        return f"{kind}: {event.volume.name} at {event.volume.destination}"
    if event.HasField("restart"):
        return f"{kind}: attempt {event.restart.attempt} at {moment(event.restart.due_time)}"
    if event.health:
        return f"{kind}: {health_word(event.health)}"
    return f"{kind}: {event.message}" if event.message else kind
