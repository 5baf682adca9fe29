"""What containerd tells of tasks while it happens. Hints: Wait and Get say what is true.

Law: Subscribe acknowledges nothing. A marker is published until it comes back; what was
missed before that is for the follower to list, and that is when it is told ``Following``.
"""

from __future__ import annotations

import asyncio
import uuid
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from google.protobuf.any_pb2 import Any
from google.protobuf.message import DecodeError

from moored import errors
from moored.containerd.timestamps import moment
from moored.containerd.values import ProcessExit
from moored.containerd_api import events_pb2, events_pb2_grpc, task_events_pb2

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping

    from moored.containerd.connection import Connection

FOLLOW_LIMIT: Final = 10.0
"""Seconds until a subscription has to have proved itself."""
_REPEAT: Final = 0.05
"""Seconds between markers until one comes back."""
_MARKER: Final = "moorage.marker"
_MARKER_TOPIC: Final = "/moorage/marker"
_TOPICS: Final = (
    "/tasks/start",
    "/tasks/exit",
    "/tasks/oom",
    "/tasks/paused",
    "/tasks/resumed",
    _MARKER_TOPIC,
)


@dataclass(frozen=True)
class Following:
    """From now on nothing is missed. What was before has to be looked at."""


@dataclass(frozen=True)
class StartSeen:
    run: str


@dataclass(frozen=True)
class ExitSeen:
    """A process of a task exited, or containerd cleaned up after a dead shim."""

    run: str
    pid: int
    exit: ProcessExit
    exec_id: str = ""
    """Empty: the task's first process."""


@dataclass(frozen=True)
class OomSeen:
    """The kernel killed something in there. Comes several times, and not only at an end."""

    run: str


@dataclass(frozen=True)
class PauseSeen:
    run: str


@dataclass(frozen=True)
class ResumeSeen:
    run: str


Event: TypeAlias = Following | StartSeen | ExitSeen | OomSeen | PauseSeen | ResumeSeen


class Events:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rpc = events_pb2_grpc.EventsStub(connection.channel)

    async def follow(self) -> AsyncGenerator[Event, None]:
        """Yield ``Following`` first, then what happens to tasks, until the connection is lost.

        Raises RuntimeUnreachable then. To be closed by whoever stops earlier.
        """
        filters = [
            f'namespace=="{self._connection.namespace}",topic=="{topic}"' for topic in _TOPICS
        ]
        envelopes = self._connection.stream(
            self._rpc.Subscribe,
            events_pb2.SubscribeRequest(filters=filters),
            "follow containerd's events",
            within=None,
        )
        async with aclosing(envelopes):
            await self._prove(envelopes)
            yield Following()
            async for envelope in envelopes:
                if event := read(envelope.event):
                    yield event
        raise errors.RuntimeUnreachable("cannot follow containerd's events: it ended the stream")

    async def _prove(self, envelopes: AsyncIterator[events_pb2.Envelope]) -> None:
        marker = uuid.uuid4().bytes
        arrival = asyncio.ensure_future(_arrival(envelopes, marker))
        publishing = asyncio.ensure_future(self._publish_until(arrival, marker))
        try:
            async with asyncio.timeout(FOLLOW_LIMIT):
                await asyncio.gather(arrival, publishing)
        except TimeoutError as late:
            raise errors.RuntimeUnreachable(
                f"cannot follow containerd's events: no marker came back in {FOLLOW_LIMIT:g} s"
            ) from late
        finally:
            arrival.cancel()
            publishing.cancel()
            await asyncio.gather(arrival, publishing, return_exceptions=True)

    async def _publish_until(self, arrival: asyncio.Future[None], marker: bytes) -> None:
        while not arrival.done():
            await self._publish(marker, FOLLOW_LIMIT)
            await asyncio.wait({arrival}, timeout=_REPEAT)

    async def _publish(self, marker: bytes, within: float) -> None:
        request = events_pb2.PublishRequest(
            topic=_MARKER_TOPIC, event=Any(type_url=_MARKER, value=marker)
        )
        await self._connection.unary(
            self._rpc.Publish, request, "publish an event to containerd", within=within
        )


async def _arrival(envelopes: AsyncIterator[events_pb2.Envelope], marker: bytes) -> None:
    async for envelope in envelopes:
        if envelope.topic == _MARKER_TOPIC and envelope.event.value == marker:
            return
    raise errors.RuntimeUnreachable("cannot follow containerd's events: it ended the stream")


def read(packed: Any) -> Event | None:
    """Return what the payload says, or None for what is not about a task, or is damaged."""
    kind = packed.type_url.rpartition("/")[2]
    reader = _READERS.get(kind)
    try:
        return reader(packed.value) if reader else None
    except DecodeError:  # a hint less: what is true is asked for
        return None


def _start(value: bytes) -> Event:
    return StartSeen(task_events_pb2.TaskStart.FromString(value).container_id)


def _exit(value: bytes) -> Event:
    event = task_events_pb2.TaskExit.FromString(value)
    exit_ = ProcessExit(event.exit_status, moment(event.exited_at))
    exec_id = "" if event.id == event.container_id else event.id
    return ExitSeen(event.container_id, event.pid, exit_, exec_id)


def _oom(value: bytes) -> Event:
    return OomSeen(task_events_pb2.TaskOOM.FromString(value).container_id)


def _paused(value: bytes) -> Event:
    return PauseSeen(task_events_pb2.TaskPaused.FromString(value).container_id)


def _resumed(value: bytes) -> Event:
    return ResumeSeen(task_events_pb2.TaskResumed.FromString(value).container_id)


_READERS: Final[Mapping[str, Callable[[bytes], Event]]] = {
    "containerd.events.TaskStart": _start,
    "containerd.events.TaskExit": _exit,
    "containerd.events.TaskOOM": _oom,
    "containerd.events.TaskPaused": _paused,
    "containerd.events.TaskResumed": _resumed,
}
