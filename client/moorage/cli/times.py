"""Times and amounts as people read them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from google.protobuf.duration_pb2 import Duration
    from google.protobuf.timestamp_pb2 import Timestamp

_AGES: Final = ((86400, "d"), (3600, "h"), (60, "min"))
_SIZES: Final = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


def took(duration: Duration) -> str:
    """Return how long something took: ``52.3 ms``, ``3.21 s``, ``12 min 5 s``."""
    seconds = duration.seconds + duration.nanos / 1e9
    if seconds < 1:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 60:
        return f"{seconds:.2f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"


def age(since: Timestamp, now: datetime) -> str:
    """Return how long ago something was, in its largest unit: ``5 min``."""
    seconds = max(0, int((now - since.ToDatetime(tzinfo=UTC)).total_seconds()))
    for length, unit in _AGES:
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def moment(time: Timestamp) -> str:
    """Return a time on the clock of whoever reads it."""
    there = time.ToDatetime(tzinfo=UTC).astimezone()
    return there.isoformat(sep=" ", timespec="milliseconds")


def size(amount: int) -> str:
    for length, unit in _SIZES:
        if amount >= length:
            return f"{amount / length:.1f} {unit}"
    return f"{amount} B"
