"""Moments as containerd writes them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp


def moment(stamp: Timestamp) -> datetime:
    """Return ``stamp`` in UTC. What cannot be one is the earliest moment there is."""
    try:
        return stamp.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        return datetime.min.replace(tzinfo=UTC)
