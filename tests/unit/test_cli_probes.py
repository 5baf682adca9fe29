"""The options of health checks and of output say what they look like, in the spec's own fields."""

from __future__ import annotations

from typing import Any

import click
import pytest

from moorage.cli.health_options import HEALTH_OPTIONS, health_check_of
from moorage.cli.output_options import OUTPUT_OPTIONS, log_config_of
from moorage.v1.container_pb2 import LogConfig
from moorage.v1.health_pb2 import ExecProbe, GrpcProbe, HealthCheck, HttpHeader, HttpProbe


def parsed(options: tuple[Any, ...], *args: str) -> dict[str, Any]:
    def keep(**values: Any) -> dict[str, Any]:
        return values

    command: Any = keep
    for option in options:
        command = option(command)
    given: dict[str, Any] = click.command()(command).main(list(args), standalone_mode=False)
    return given


def probe(*args: str) -> HealthCheck | None:
    return health_check_of(parsed(HEALTH_OPTIONS, *args))


def test_each_kind_of_probe_has_its_option() -> None:
    assert probe() is None
    assert probe("--health-cmd", "a b") == HealthCheck(
        exec=ExecProbe(args=["/bin/sh", "-c", "a b"])
    )
    assert probe("--health-http", "https://10.0.0.1/x?y=z") == HealthCheck(
        http=HttpProbe(port=443, path="/x?y=z", host="10.0.0.1", tls=True)
    )
    named = HttpProbe(port=81, headers=[HttpHeader(name="Host", value="web:81")])
    assert probe("--health-http", "http://web:81") == HealthCheck(http=named)
    assert probe("--health-grpc", "5/a.B") == HealthCheck(grpc=GrpcProbe(port=5, service="a.B"))
    assert probe("--no-healthcheck") == HealthCheck(disabled=True)


def test_times_go_along() -> None:
    found = probe("--health-tcp", "5", "--health-interval", "2s", "--health-retries", "4")
    assert found is not None
    assert (found.tcp.port, found.interval.seconds, found.retries) == (5, 2, 4)


@pytest.mark.parametrize(
    "args",
    [
        ("--health-tcp", "1", "--health-cmd", "true"),
        ("--health-http", "ftp://x"),
        ("--health-http", "http://x:y"),
        ("--health-grpc", "x"),
    ],
)
def test_what_cannot_be_meant_is_refused(args: tuple[str, ...]) -> None:
    with pytest.raises(click.UsageError):
        probe(*args)


def test_output_is_limited_by_the_options_that_others_have() -> None:
    def asked(*args: str) -> LogConfig | None:
        return log_config_of(parsed(OUTPUT_OPTIONS, *args))

    assert asked() is None
    limits = asked("--log-opt", "max-size=10m", "--log-opt", "max-file=3")
    assert limits == LogConfig(max_size=10 << 20, max_files=3)
    assert asked("--log-driver", "none") == LogConfig(driver="LOG_DRIVER_NONE")
    with pytest.raises(click.UsageError):
        asked("--log-opt", "colour=red")
