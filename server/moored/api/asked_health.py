"""Health checks, from the wire into the model's values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moored.api.asked_times import duration
from moored.model.health import (
    NO_CHECK,
    ExecProbe,
    GrpcProbe,
    HealthCheck,
    HttpProbe,
    TcpProbe,
)

if TYPE_CHECKING:
    from datetime import timedelta

    from moorage.v1 import container_pb2, health_pb2

_FIELD = "spec.health_check"


def health_check(message: container_pb2.ContainerSpec) -> HealthCheck:
    if not message.HasField("health_check"):
        return NO_CHECK
    asked = message.health_check
    probe = asked.WhichOneof("probe")
    return HealthCheck(
        exec=ExecProbe(tuple(asked.exec.args)) if probe == "exec" else None,
        http=_http(asked.http) if probe == "http" else None,
        tcp=TcpProbe(asked.tcp.port, asked.tcp.host) if probe == "tcp" else None,
        grpc=(
            GrpcProbe(asked.grpc.port, asked.grpc.service, asked.grpc.host)
            if probe == "grpc"
            else None
        ),
        disabled=asked.disabled,
        interval=_time(asked, "interval"),
        timeout=_time(asked, "timeout"),
        start_period=_time(asked, "start_period"),
        start_interval=_time(asked, "start_interval"),
        retries=asked.retries,
    )


def _http(message: health_pb2.HttpProbe) -> HttpProbe:
    return HttpProbe(
        port=message.port,
        path=message.path,
        host=message.host,
        headers=tuple((header.name, header.value) for header in message.headers),
        tls=message.tls,
    )


def _time(message: health_pb2.HealthCheck, field: str) -> timedelta | None:
    if not message.HasField(field):
        return None
    return duration(getattr(message, field), f"{_FIELD}.{field}")
