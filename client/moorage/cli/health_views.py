"""What people are shown of a container's health."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from moorage.cli.tables import Cell, Coloured
from moorage.cli.times import moment
from moorage.v1.container_pb2 import (
    HEALTH_STATE_HEALTHY,
    HEALTH_STATE_NOT_CONFIGURED,
    HEALTH_STATE_STARTING,
    HEALTH_STATE_UNHEALTHY,
    HEALTH_STATE_UNSPECIFIED,
    Health,
    HealthState,
)
from moorage.v1.health_pb2 import ProbeOutcome

if TYPE_CHECKING:
    from collections.abc import Iterator

_COLOURS: Final[dict[int, str]] = {
    HEALTH_STATE_HEALTHY: "green",
    HEALTH_STATE_STARTING: "yellow",
    HEALTH_STATE_UNHEALTHY: "red",
}
_SILENT: Final = (HEALTH_STATE_NOT_CONFIGURED, HEALTH_STATE_UNSPECIFIED)


def health_word(state: HealthState) -> str:
    try:
        return HealthState.Name(state).removeprefix("HEALTH_STATE_")
    except ValueError:  # a newer server's
        return str(state)


def lines(health: Health) -> Iterator[tuple[str, Cell]]:
    """Yield its state and the last result, if it is probed."""
    if health.state in _SILENT:
        return
    failing = f", {health.failures} failures in a row" if health.failures else ""
    told = f"{health_word(health.state)} since {moment(health.since)}{failing}"
    yield "health", Coloured(told, _COLOURS.get(health.state))
    if health.results:
        last = health.results[-1]
        outcome = ProbeOutcome.Name(last.outcome).removeprefix("PROBE_OUTCOME_").lower()
        said = f": {last.output.strip()}" if last.output.strip() else ""
        yield "last probe", f"{outcome.replace('_', ' ')} at {moment(last.end_time)}{said}"
