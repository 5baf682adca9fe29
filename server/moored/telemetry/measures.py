"""What is measured, by name, unit and attributes: docs/metrics.md is the same for operators.

Whoever does something says so once it is over; what is a number at a moment is read when
somebody collects. Names are stable; no attribute holds an id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opentelemetry.metrics import CallbackOptions, Observation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from opentelemetry.metrics import Histogram, Meter

    Read = Callable[[], Iterable[tuple[Mapping[str, str], int | float]]]

_QUICK: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
"""Bounds in seconds, for what is over in milliseconds."""
_USUAL: Final = (*_QUICK, 5, 10, 30, 60)
"""For what may wait for a process, or for containerd."""


class Measures:
    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._calls = self._seconds(
            "rpc.server.call.duration", "How long calls took to answer", _USUAL
        )
        self._steps = self._seconds(
            "moored.step.duration", "How long each step and each undo of a start took", _USUAL
        )
        self._releases = self._seconds(
            "moored.release.duration", "How long it took to let go of each resource", _USUAL
        )
        self._claims = self._seconds(
            "moored.claim.wait.duration",
            "How long changes waited for a container that another one was at",
            _USUAL,
        )
        self._commits = self._seconds(
            "moored.ledger.commit.duration", "How long commits of the ledger took", _QUICK
        )
        self._probes = self._seconds(
            "moored.probe.duration", "How long each probe of a container's health took", _USUAL
        )
        self._execs = self._seconds(
            "moored.exec.start.duration", "How long execs took to begin", _USUAL
        )
        self._exec_ends = meter.create_counter(
            "moored.exec.ends", unit="{exec}", description="Execs that ended, by why"
        )
        self._changes = meter.create_counter(
            "moored.ledger.changes", unit="{change}", description="Changes that commits held"
        )
        self._exits = meter.create_counter(
            "moored.exits", unit="{run}", description="Runs that ended, by what ended them"
        )
        self._restarts = meter.create_counter(
            "moored.restarts", unit="{start}", description="Starts that a restart policy asked for"
        )
        self._failures = meter.create_counter(
            "moored.start.failures",
            unit="{start}",
            description="Starts that failed and were undone",
        )
        self._interferences = meter.create_counter(
            "moored.interferences",
            unit="{event}",
            description="Changes of our tasks that somebody else made",
        )

    def call(self, name: str, code: str, reason: str, seconds: float) -> None:
        """``name`` is SERVICE/METHOD; ``reason`` why it did not end well, or empty."""
        said = {"error.type": reason} if reason else {}
        attributes = {
            "rpc.system.name": "grpc",
            "rpc.method": name,
            "rpc.response.status_code": code,
        }
        self._calls.record(seconds, {**attributes, **said})

    def step(self, name: str, outcome: str, seconds: float) -> None:
        self._steps.record(seconds, {"step": name, "outcome": outcome})

    def release(self, kind: str, outcome: str, seconds: float) -> None:
        self._releases.record(seconds, {"kind": kind, "outcome": outcome})

    def claim(self, seconds: float) -> None:
        self._claims.record(seconds)

    def commit(self, changes: int, outcome: str, seconds: float) -> None:
        self._commits.record(seconds, {"outcome": outcome})
        self._changes.add(changes)

    def probe(self, kind: str, outcome: str, seconds: float) -> None:
        self._probes.record(seconds, {"kind": kind, "outcome": outcome})

    def exec_start(self, outcome: str, seconds: float) -> None:
        self._execs.record(seconds, {"outcome": outcome})

    def exec_end(self, reason: str) -> None:
        self._exec_ends.add(1, {"reason": reason})

    def exit(self, origin: str) -> None:
        self._exits.add(1, {"origin": origin})

    def restart(self) -> None:
        self._restarts.add(1)

    def start_failure(self, step: str, reason: str) -> None:
        self._failures.add(1, {"step": step, "reason": reason})

    def interference(self) -> None:
        self._interferences.add(1)

    def watch(
        self,
        name: str,
        unit: str,
        description: str,
        read: Callable[[], Mapping[str, int | float]],
        *,
        by: str = "",
    ) -> None:
        """Read a number whenever somebody collects, or one for each value of attribute ``by``.

        ``read`` is called in a thread of the collector's: what it looks at must not change.
        """

        def observe(_: CallbackOptions) -> Iterable[Observation]:
            return [Observation(number, {by: key} if by else {}) for key, number in read().items()]

        self._meter.create_observable_gauge(
            name, callbacks=[observe], unit=unit, description=description
        )

    def total(
        self, name: str, unit: str, description: str, read: Callable[[], int | float]
    ) -> None:
        """As ``watch``, for one number that only grows."""

        def observe(_: CallbackOptions) -> Iterable[Observation]:
            return [Observation(read())]

        self._meter.create_observable_counter(
            name, callbacks=[observe], unit=unit, description=description
        )

    def gauges(self, name: str, unit: str, description: str, read: Read) -> None:
        """As ``watch``, for numbers that bring their attributes."""
        self._meter.create_observable_gauge(
            name, callbacks=[_observing(read)], unit=unit, description=description
        )

    def totals(self, name: str, unit: str, description: str, read: Read) -> None:
        """As ``gauges``, for numbers that only grow."""
        self._meter.create_observable_counter(
            name, callbacks=[_observing(read)], unit=unit, description=description
        )

    def _seconds(self, name: str, description: str, bounds: tuple[float, ...]) -> Histogram:
        return self._meter.create_histogram(
            name,
            unit="s",
            description=description,
            explicit_bucket_boundaries_advisory=bounds,
        )


def _observing(read: Read) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def observe(_: CallbackOptions) -> Iterable[Observation]:
        return [Observation(number, attributes) for attributes, number in read()]

    return observe
