"""Health, from the model's values onto the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from moorage.v1 import container_pb2
from moorage.v1 import health_pb2 as wire
from moored.model.health import NO_CHECK, HealthState, Outcome

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from moored.model.health import Health, HealthCheck, HttpProbe, Readings, Result

STATES: Final = {
    HealthState.NOT_CONFIGURED: container_pb2.HEALTH_STATE_NOT_CONFIGURED,
    HealthState.STARTING: container_pb2.HEALTH_STATE_STARTING,
    HealthState.HEALTHY: container_pb2.HEALTH_STATE_HEALTHY,
    HealthState.UNHEALTHY: container_pb2.HEALTH_STATE_UNHEALTHY,
}
OUTCOMES: Final = {
    Outcome.SUCCEEDED: wire.PROBE_OUTCOME_SUCCEEDED,
    Outcome.FAILED: wire.PROBE_OUTCOME_FAILED,
    Outcome.TIMED_OUT: wire.PROBE_OUTCOME_TIMED_OUT,
    Outcome.UNDECIDED: wire.PROBE_OUTCOME_UNDECIDED,
}


def health(known: Health, readings: Readings | None) -> container_pb2.Health:
    """``readings`` are what was found since; None: what is on record is all that is known."""
    results = readings.results if readings else (known.last,) if known.last else ()
    return container_pb2.Health(
        state=STATES[known.state],
        since=_time(known.since) if known.since else None,
        failures=readings.failures if readings else known.failures,
        results=[_result(result) for result in results],
    )


def health_check(value: HealthCheck) -> wire.HealthCheck | None:
    """Return the message, or None where nothing was asked for."""
    if value == NO_CHECK:
        return None
    message = wire.HealthCheck(
        interval=_duration(value.interval),
        timeout=_duration(value.timeout),
        start_period=_duration(value.start_period),
        start_interval=_duration(value.start_interval),
        retries=value.retries,
    )
    if value.disabled:
        message.disabled = True
    if value.exec:
        message.exec.args.extend(value.exec.args)
    if value.http:
        message.http.CopyFrom(_http(value.http))
    if value.tcp:
        message.tcp.CopyFrom(wire.TcpProbe(port=value.tcp.port, host=value.tcp.host))
    if value.grpc:
        grpc = value.grpc
        message.grpc.CopyFrom(wire.GrpcProbe(port=grpc.port, service=grpc.service, host=grpc.host))
    return message


def _http(value: HttpProbe) -> wire.HttpProbe:
    return wire.HttpProbe(
        port=value.port,
        path=value.path,
        host=value.host,
        headers=[wire.HttpHeader(name=name, value=text) for name, text in value.headers],
        tls=value.tls,
    )


def _result(result: Result) -> wire.ProbeResult:
    return wire.ProbeResult(
        start_time=_time(result.began),
        end_time=_time(result.ended),
        outcome=OUTCOMES[result.outcome],
        exit_code=result.exit_code,
        output=result.output,
    )


def _time(value: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(value)
    return message


def _duration(value: timedelta | None) -> Duration | None:
    if value is None:
        return None
    message = Duration()
    message.FromTimedelta(value)
    return message
