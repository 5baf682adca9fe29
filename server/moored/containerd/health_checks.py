"""An image's HEALTHCHECK as a health check of ours.

What no server of ours could be asked for is brought within bounds or left to its default: an
image is not its user's to mend.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from loguru import logger

from moored.model.health import (
    LONGEST,
    LONGEST_TIMEOUT,
    MOST_RETRIES,
    NO_CHECK,
    SHORTEST_INTERVAL,
    SHORTEST_TIMEOUT,
    ExecProbe,
    HealthCheck,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moored.containerd.documents import HealthSettings


def health_check(settings: HealthSettings | None) -> HealthCheck:
    if settings is None or not (args := _args(settings.test)):
        return NO_CHECK
    return HealthCheck(
        exec=ExecProbe(args),
        interval=_time(settings.interval, SHORTEST_INTERVAL, LONGEST),
        timeout=_time(settings.timeout, SHORTEST_TIMEOUT, LONGEST_TIMEOUT),
        start_period=_time(settings.start_period, timedelta(), LONGEST),
        start_interval=_time(settings.start_interval, SHORTEST_INTERVAL, LONGEST),
        retries=min(settings.retries, MOST_RETRIES),
    )


def _args(test: Sequence[str]) -> tuple[str, ...]:
    match tuple(test):
        case () | ("NONE",):
            return ()
        case ("CMD", *args) if args and args[0]:
            return tuple(args)
        case ("CMD-SHELL", command):
            return ("/bin/sh", "-c", command)
        case other:
            logger.warning("an image's health check is none, and is left out: {}", other[:3])
            return ()


def _time(nanoseconds: int, least: timedelta, most: timedelta) -> timedelta | None:
    if not nanoseconds:
        return None
    seconds = min(nanoseconds / 1e9, most.total_seconds())
    return max(least, timedelta(seconds=seconds))
