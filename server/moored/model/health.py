"""Health: how a container is probed, and what follows from what was found. Pure.

A success is believed at once, a failure only after as many in a row as the check asks for; in the
start period failures do not count. What could not be found out changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, TypeAlias

DEFAULT_INTERVAL: Final = timedelta(seconds=30)
DEFAULT_TIMEOUT: Final = timedelta(seconds=30)
DEFAULT_START_INTERVAL: Final = timedelta(seconds=5)
DEFAULT_RETRIES: Final = 3
SHORTEST_INTERVAL: Final = timedelta(milliseconds=100)
SHORTEST_TIMEOUT: Final = timedelta(milliseconds=1)
LONGEST_TIMEOUT: Final = timedelta(hours=1)
LONGEST: Final = timedelta(hours=24)
MOST_RETRIES: Final = 1000
MOST_RESULTS: Final = 5
"""How many results are kept of one run."""
LARGEST_OUTPUT: Final = 4096
"""Bytes of a result's output that are kept."""


class HealthState(StrEnum):
    NOT_CONFIGURED = "not configured"
    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


class Outcome(StrEnum):
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    UNDECIDED = "undecided"
    """Nothing was found out about the container: it does not count."""


@dataclass(frozen=True)
class ExecProbe:
    args: tuple[str, ...]


@dataclass(frozen=True)
class HttpProbe:
    port: int
    path: str = ""
    host: str = ""
    """An IP address in the container's network. Empty: its loopback."""
    headers: tuple[tuple[str, str], ...] = ()
    tls: bool = False


@dataclass(frozen=True)
class TcpProbe:
    port: int
    host: str = ""


@dataclass(frozen=True)
class GrpcProbe:
    port: int
    service: str = ""
    host: str = ""


Probe: TypeAlias = ExecProbe | HttpProbe | TcpProbe | GrpcProbe


@dataclass(frozen=True)
class HealthCheck:
    """What was asked for, by a caller or by an image: at most one of the probes is set."""

    exec: ExecProbe | None = None
    http: HttpProbe | None = None
    tcp: TcpProbe | None = None
    grpc: GrpcProbe | None = None
    disabled: bool = False
    interval: timedelta | None = None
    timeout: timedelta | None = None
    start_period: timedelta | None = None
    start_interval: timedelta | None = None
    retries: int = 0
    """0: not set."""

    @property
    def probe(self) -> Probe | None:
        return self.exec or self.http or self.tcp or self.grpc


NO_CHECK: Final = HealthCheck()


@dataclass(frozen=True)
class Checkup:
    """What is done: a health check with nothing left open."""

    probe: Probe
    interval: timedelta
    timeout: timedelta
    start_period: timedelta
    start_interval: timedelta
    retries: int


@dataclass(frozen=True)
class Result:
    """How one probe went."""

    began: datetime
    ended: datetime
    outcome: Outcome
    output: str = ""
    exit_code: int | None = None


@dataclass(frozen=True)
class Health:
    """What is on record. ``last`` is the result that led to ``state``."""

    state: HealthState = HealthState.NOT_CONFIGURED
    since: datetime | None = None
    failures: int = 0
    last: Result | None = None


NOT_PROBED: Final = Health()


@dataclass(frozen=True)
class Readings:
    """What was found of a run since this server probes it: known to it alone."""

    run: int
    failures: int
    results: tuple[Result, ...]


def checkup(asked: HealthCheck, image: HealthCheck) -> Checkup | None:
    """Return what is done where a caller asks for one thing and the image for another."""
    probe = asked.probe or image.probe
    if asked.disabled or probe is None:
        return None
    # What an image says of its own probe does not fit another.
    under = image if asked.probe is None else NO_CHECK
    interval = asked.interval or under.interval or DEFAULT_INTERVAL
    return Checkup(
        probe=probe,
        interval=interval,
        timeout=asked.timeout or under.timeout or DEFAULT_TIMEOUT,
        start_period=_first(asked.start_period, under.start_period, timedelta()),
        start_interval=(
            asked.start_interval or under.start_interval or min(DEFAULT_START_INTERVAL, interval)
        ),
        retries=asked.retries or under.retries or DEFAULT_RETRIES,
    )


def at_start(check: Checkup | None, at: datetime) -> Health:
    """Return the health of a run that begins."""
    return Health(HealthState.STARTING, since=at) if check else NOT_PROBED


def judge(check: Checkup, before: Health, result: Result, *, started: datetime) -> Health:
    """Return what follows from ``result``. ``last`` and ``since`` change with the state only."""
    match result.outcome:
        case Outcome.UNDECIDED:
            return before
        case Outcome.SUCCEEDED:
            return _turned(before, HealthState.HEALTHY, 0, result)
    if _starting(before, result.began - started, check):
        return before
    failures = before.failures + 1
    state = HealthState.UNHEALTHY if failures >= check.retries else before.state
    return _turned(before, state, failures, result)


def wait(check: Checkup, health: Health, running_for: timedelta) -> timedelta:
    """Return how long to wait for the next probe."""
    return check.start_interval if _starting(health, running_for, check) else check.interval


def _first(*wishes: timedelta | None) -> timedelta:
    return next(wish for wish in wishes if wish is not None)


def _starting(health: Health, running_for: timedelta, check: Checkup) -> bool:
    return health.state is HealthState.STARTING and running_for < check.start_period


def _turned(before: Health, state: HealthState, failures: int, result: Result) -> Health:
    if state is before.state:
        return Health(state, before.since, failures, before.last)
    return Health(state, result.ended, failures, result)
