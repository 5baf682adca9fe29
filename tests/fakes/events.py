"""The event bus. A subscriber gets what is published from its arrival on, and nothing older."""

# ruff: noqa: N802  # methods are called as the protocol calls them

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from google.protobuf import any_pb2, empty_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from moored.containerd_api import events_pb2, events_pb2_grpc
from tests.fakes.filters import matching
from tests.fakes.refusals import invalid, lost, namespace_of, unknown, why_no_identifier

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from google.protobuf.message import Message

    from tests.fakes.refusals import Context, Refused


@dataclass(eq=False)
class Subscriber:
    filters: Sequence[str]
    envelopes: asyncio.Queue[events_pb2.Envelope] = field(default_factory=asyncio.Queue)

    def offer(self, envelope: events_pb2.Envelope) -> None:
        fields = {"topic": envelope.topic, "namespace": envelope.namespace}
        if matching(self.filters, fields):
            self.envelopes.put_nowait(envelope)


class Bus:
    def __init__(self) -> None:
        self.subscribers: Final[set[Subscriber]] = set()

    def publish(self, namespace: str, topic: str, event: any_pb2.Any) -> None:
        now = Timestamp()
        now.GetCurrentTime()
        envelope = events_pb2.Envelope(timestamp=now, namespace=namespace, topic=topic, event=event)
        for subscriber in self.subscribers:
            subscriber.offer(envelope)

    def announce(self, namespace: str, topic: str, event: Message | None = None) -> None:
        """Publish what containerd itself has to say."""
        self.publish(namespace, topic, _packed(topic, event))


class Events(events_pb2_grpc.EventsServicer):
    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def Publish(
        self, request: events_pb2.PublishRequest, context: Context
    ) -> empty_pb2.Empty:
        namespace = namespace_of(context)
        if refusal := _refusal(request.topic):
            raise refusal
        if not request.HasField("event"):
            raise lost("Stream removed")  # 1.6 panics
        self._bus.publish(namespace, request.topic, request.event)
        return empty_pb2.Empty()

    async def Subscribe(
        self, request: events_pb2.SubscribeRequest, context: Context
    ) -> AsyncIterator[events_pb2.Envelope]:
        subscriber = Subscriber(tuple(request.filters))
        try:
            matching(subscriber.filters, {})
        except Exception as error:
            raise unknown(f"subscription error: {error}") from error
        self._bus.subscribers.add(subscriber)
        try:
            while True:
                yield await subscriber.envelopes.get()
        finally:
            self._bus.subscribers.discard(subscriber)


def _packed(topic: str, event: Message | None) -> any_pb2.Any:
    if event is not None:
        name = event.DESCRIPTOR.full_name
        return any_pb2.Any(type_url=name, value=event.SerializeToString())
    # The payload is not declared: its name is what is left to tell it by.
    words = topic.strip("/").split("/")
    name = f"{words[0].removesuffix('s').capitalize()}{words[1].capitalize()}"
    return any_pb2.Any(type_url=f"containerd.events.{name}")


def _refusal(topic: str) -> Refused | None:
    if not topic.startswith("/"):
        return invalid(f"envelope topic \"{topic}\": must start with '/'")
    for part in topic[1:].split("/"):
        if why := why_no_identifier(part):
            return invalid(
                f'envelope topic "{topic}": failed validation on component "{part}": {why}'
            )
    return None
