"""ContainerFilter: from the wire into the model's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from moored import errors
from moored.api import asked
from moored.api.pictures import STATES
from moored.containerd.names import complete_name, is_digest
from moored.errors import Violation
from moored.model.filters import Filter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from moorage.v1 import container_pb2
    from moorage.v1 import container_service_pb2 as wire
    from moored.model.state import State

_KINDS: Final[dict[container_pb2.ContainerState, type[State]]] = {
    number: kind for kind, number in STATES.items()
}


def read(message: wire.ContainerFilter) -> Filter:
    return Filter(
        states=frozenset(_states(message)),
        labels=tuple(labels(message.labels)),
        names=frozenset(_names(message)),
        images=frozenset(_images(message)),
        since=message.since_revision,
    )


def _states(message: wire.ContainerFilter) -> Iterator[type[State]]:
    for position, number in enumerate(message.states):
        if (kind := _KINDS.get(number)) is None:
            field = f"filter.states[{position}]"
            raise errors.NotServed(
                f"cannot serve {field}: {number} is no state that is known here",
                Violation(field, "is no state that is known here"),
            )
        yield kind


def labels(texts: Iterable[str]) -> Iterator[tuple[str, str | None]]:
    for position, text in enumerate(texts):
        key, equals, value = text.partition("=")
        if not key:
            raise asked.refused(f"filter.labels[{position}]", "must be key or key=value")
        yield key, value if equals else None


def _names(message: wire.ContainerFilter) -> Iterator[str]:
    for position, name in enumerate(message.names):
        if not name:
            raise asked.refused(f"filter.names[{position}]", "is empty")
        yield name


def _images(message: wire.ContainerFilter) -> Iterator[str]:
    for position, text in enumerate(message.images):
        field = f"filter.images[{position}]"
        yield text if is_digest(text) else complete_name(text, field=field)
