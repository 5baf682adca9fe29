"""Times and durations from the wire, refused by their field where they are none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from moored import errors
from moored.errors import Violation

if TYPE_CHECKING:
    from google.protobuf.duration_pb2 import Duration
    from google.protobuf.timestamp_pb2 import Timestamp

_LONGEST: Final = 315_576_000_000
"""Seconds: 10,000 years, the range of google.protobuf.Duration."""


def refused(field: str, why: str) -> errors.InvalidField:
    return errors.InvalidField(f"cannot read request: {field} {why}", Violation(field, why))


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
