"""Settings of connections: how large, how many, how long, and how often they are looked after.

Each is one of gRPC's own limits, which it keeps before anything of ours sees a call.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, Field

from moored.units import Bytes, Seconds, seconds

_MOST_PENDING: Final = 20_000
"""Calls that may have arrived and wait for their handler. By itself gRPC has CANCELLED for some of
a thousand that come at once."""


def _seconds_or_never(given: object) -> object:
    return 0.0 if given in (0, "0", "never") and given is not False else seconds(given)


SecondsOrNever = Annotated[float, BeforeValidator(_seconds_or_never)]
"""0: never."""


class WireSettings(BaseModel):
    largest_message: Bytes = 4 * 2**20
    """Of a request. Beyond it: RESOURCE_EXHAUSTED."""
    largest_metadata: Annotated[Bytes, Field(ge=8 * 2**10, le=2**20)] = 16 * 2**10
    """All that comes with a call beside its message. Beyond it: RESOURCE_EXHAUSTED."""
    streams_per_connection: Annotated[int, Field(ge=1, le=2**31 - 1)] = 4096
    """Calls at once on one connection; further ones wait at their caller's."""
    connection_age: SecondsOrNever = 0.0
    """How old a connection becomes, give or take a tenth, until its caller is to make another."""
    connection_age_grace: Seconds = 60.0
    """For how long its calls may go on after that."""
    connection_idle: SecondsOrNever = 0.0
    """For how long a connection may have no call."""
    keepalive_interval: Seconds = 60.0
    """Without any sign of life for so long, a caller is asked for one."""
    keepalive_timeout: Seconds = 20.0
    """For how long it has time to give it, until its calls are cancelled."""
    keepalive_least_interval: Seconds = 10.0
    """Who asks us more often for one, is cut off as ENHANCE_YOUR_CALM: too_many_pings."""
    channelz: bool = False
    """Whether connections and calls are counted, and shown by gRPC's own service for it."""


def channel_options(settings: WireSettings) -> tuple[tuple[str, int], ...]:
    """Return what gRPC calls them."""
    aged = (
        ("grpc.max_connection_age_ms", _milliseconds(settings.connection_age)),
        ("grpc.max_connection_age_grace_ms", _milliseconds(settings.connection_age_grace)),
    )
    idle = (("grpc.max_connection_idle_ms", _milliseconds(settings.connection_idle)),)
    return (
        ("grpc.max_receive_message_length", settings.largest_message),
        ("grpc.max_metadata_size", settings.largest_metadata),
        ("grpc.absolute_max_metadata_size", settings.largest_metadata),
        ("grpc.max_concurrent_streams", settings.streams_per_connection),
        *(aged if settings.connection_age else ()),
        *(idle if settings.connection_idle else ()),
        ("grpc.keepalive_time_ms", _milliseconds(settings.keepalive_interval)),
        ("grpc.keepalive_timeout_ms", _milliseconds(settings.keepalive_timeout)),
        ("grpc.keepalive_permit_without_calls", 1),
        (
            "grpc.http2.min_ping_interval_without_data_ms",
            _milliseconds(settings.keepalive_least_interval),
        ),
        ("grpc.enable_channelz", int(settings.channelz)),
        ("grpc.server.max_pending_requests", _MOST_PENDING),
        ("grpc.server.max_pending_requests_hard_limit", _MOST_PENDING),
    )


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
