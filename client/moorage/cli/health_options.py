"""The options that say how a container is probed, as they are known from other commands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import click

from moorage.cli.parameters import duration

if TYPE_CHECKING:
    from moorage.v1.health_pb2 import HealthCheck, HttpProbe

_GRPC: Final = re.compile(r"([0-9]{1,5})(?:/(.*))?")


def url(text: str) -> str:
    found = urlsplit(text)
    try:
        port = found.port
    except ValueError:
        port = 0
    if found.scheme not in ("http", "https") or not found.hostname or port == 0:
        raise click.BadParameter(f"{text!r} is no URL: http://localhost:8080/healthz")
    return text


def grpc(text: str) -> tuple[int, str]:
    if (match := _GRPC.fullmatch(text)) is None:
        raise click.BadParameter(f"{text!r} is not PORT[/SERVICE]: 50051")
    return int(match[1]), match[2] or ""


HEALTH_OPTIONS: Final = (
    click.option("--health-cmd", metavar="COMMAND", help="Probe by a command, run by its shell."),
    click.option("--health-http", type=url, metavar="URL", help="Probe by a GET from inside."),
    click.option(
        "--health-tcp", type=click.IntRange(1, 65535), metavar="PORT", help="Probe by connecting."
    ),
    click.option(
        "--health-grpc", type=grpc, metavar="PORT[/SERVICE]", help="Probe by gRPC's health service."
    ),
    click.option("--health-interval", type=duration, help="Between two probes; else 30s."),
    click.option("--health-timeout", type=duration, help="What one may take; else 30s."),
    click.option("--health-retries", type=int, metavar="N", help="Failures in a row; else 3."),
    click.option(
        "--health-start-period", type=duration, help="How long failures do not count at first."
    ),
    click.option("--health-start-interval", type=duration, help="Between two probes meanwhile."),
    click.option("--no-healthcheck", is_flag=True, help="Whatever the image asks for."),
)
_TIMES: Final = ("interval", "timeout", "start_period", "start_interval")
_PROBES: Final = ("cmd", "http", "tcp", "grpc")


def health_check_of(options: dict[str, Any]) -> HealthCheck | None:
    """Take what HEALTH_OPTIONS gave out of ``options``; None when nothing was given."""
    from moorage.v1.health_pb2 import ExecProbe, GrpcProbe, HealthCheck, TcpProbe

    given = {name: options.pop(f"health_{name}") for name in (*_PROBES, *_TIMES, "retries")}
    disabled = options.pop("no_healthcheck")
    if len([name for name in _PROBES if given[name] is not None]) + disabled > 1:
        raise click.UsageError("--health-cmd, -http, -tcp, -grpc and --no-healthcheck: give one")
    check = HealthCheck(**{name: given[name] for name in _TIMES}, retries=given["retries"] or 0)
    if disabled:
        check.disabled = True
    if given["cmd"] is not None:
        check.exec.CopyFrom(ExecProbe(args=["/bin/sh", "-c", given["cmd"]]))
    if given["http"] is not None:
        check.http.CopyFrom(_http(given["http"]))
    if given["tcp"] is not None:
        check.tcp.CopyFrom(TcpProbe(port=given["tcp"]))
    if given["grpc"] is not None:
        port, service = given["grpc"]
        check.grpc.CopyFrom(GrpcProbe(port=port, service=service))
    return check if check.ByteSize() else None


def _http(text: str) -> HttpProbe:
    from moorage.v1.health_pb2 import HttpHeader, HttpProbe

    found = urlsplit(text)
    tls = found.scheme == "https"
    host = found.hostname or ""
    named = not re.fullmatch(r"[0-9.]+|.*:.*", host)  # a name is the server's to know
    return HttpProbe(
        port=found.port or (443 if tls else 80),
        path=found.path + (f"?{found.query}" if found.query else ""),
        host="" if named else host,
        headers=[HttpHeader(name="Host", value=found.netloc)] if named else [],
        tls=tls,
    )
