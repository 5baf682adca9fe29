"""What a caller asked for, from the wire into the model's values.

Nothing is silently ignored: a field of a newer client's is found among the unknown ones and
refused by its number, and a value that is not served by its path.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from google.protobuf.unknown_fields import UnknownFieldSet

from moored import errors
from moored.errors import Violation
from moored.model.spec import Spec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.duration_pb2 import Duration
    from google.protobuf.message import Message
    from google.protobuf.timestamp_pb2 import Timestamp

    from moorage.v1 import container_pb2

_LONGEST: Final = 315_576_000_000
"""Seconds: 10,000 years, the range of google.protobuf.Duration."""


def refuse_unknown(request: Message) -> None:
    """Refuse a request that has fields which this server does not know."""
    found = list(_unknown(request, ""))
    if found:
        raise errors.NotServed(
            f"cannot serve field {found[0].field}: this server does not know it", *found
        )


def refuse_unserved(request: Message, *fields: str) -> None:
    """Refuse a request that sets one of ``fields``, which are on the wire but not served."""
    found = [Violation(field, "is not served yet") for field in fields if getattr(request, field)]
    if found:
        raise errors.NotServed(f"cannot serve field {found[0].field}: not served yet", *found)


def required(request: Message, field: str) -> str:
    value: str = getattr(request, field)
    if not value:
        raise refused(field, "is required")
    return value


def refused(field: str, why: str) -> errors.InvalidField:
    return errors.InvalidField(f"cannot read request: {field} {why}", Violation(field, why))


def spec(message: container_pb2.ContainerSpec) -> Spec:
    return Spec(
        image=message.image,
        name=message.name,
        command=tuple(message.command),
        args=tuple(message.args),
        env=tuple(message.env),
        working_dir=message.working_dir,
        user=message.user,
        labels=dict(message.labels),
        hostname=message.hostname,
        stop_signal=message.stop_signal,
        stop_timeout=(
            duration(message.stop_timeout, "spec.stop_timeout")
            if message.HasField("stop_timeout")
            else None
        ),
        auto_remove=message.auto_remove,
        runtime=message.runtime,
        network=message.network,
    )


def duration(message: Duration, field: str) -> timedelta:
    """Return a duration that is not negative, and well formed."""
    seconds, nanos = message.seconds, message.nanos
    if not (0 <= seconds <= _LONGEST and 0 <= nanos < 1_000_000_000):
        raise refused(field, "must not be negative" if seconds < 0 or nanos < 0 else "is no time")
    return timedelta(seconds=seconds, microseconds=nanos // 1000)


def timestamp(message: Timestamp, field: str) -> datetime:
    try:
        return message.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise refused(field, "is no time") from error


def _unknown(message: Message, path: str) -> Iterator[Violation]:
    unknown = UnknownFieldSet(message)
    for position in range(len(unknown)):
        number = unknown[position].field_number
        yield Violation(f"{path}{number}", "is a field number that is not known here")
    for field, value in message.ListFields():
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            continue
        if field.is_repeated:
            for number, item in enumerate(value):
                yield from _unknown(item, f"{path}{field.name}[{number}].")
        else:
            yield from _unknown(value, f"{path}{field.name}.")
