"""Which health checks make sense on any host."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_address
from typing import Final

from moored.errors import Violation
from moored.model import health
from moored.model.health import ExecProbe, GrpcProbe, HealthCheck, HttpProbe, TcpProbe

LARGEST_TEXT: Final = 128 * 1024
"""Bytes: what Linux takes as one argument."""
MOST_ARGS: Final = 1024
_LONGEST_PATH: Final = 4096
_LONGEST_HEADER: Final = 4096
_MOST_HEADERS: Final = 64
_LONGEST_SERVICE: Final = 1024
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PATH: Final = re.compile(r"/[\x21-\x7e]*")
_VALUE: Final = re.compile(r"[\t\x20-\x7e]*")
_PORTS: Final = range(1, 65536)
_OWN_HEADERS: Final = frozenset({"connection", "content-length", "transfer-encoding"})


def violations(check: HealthCheck) -> Iterator[Violation]:
    """Yield what is wrong; fields are those of ``health_check``."""
    for found in (*_times(check), *_probe(check)):
        yield Violation(f"health_check.{found.field}", found.why)
    timed = (check.interval, check.timeout, check.start_period, check.start_interval)
    if check.disabled and (any(time is not None for time in timed) or check.retries):
        yield Violation("health_check.disabled", "goes with nothing else")


def without_probe(check: HealthCheck, image: HealthCheck) -> Iterator[Violation]:
    """Yield what is wrong with a check that has times for a probe that nobody asks for."""
    if check not in (health.NO_CHECK, HealthCheck(disabled=True)) and not (
        check.probe or image.probe
    ):
        yield Violation("health_check", "has no probe, and the image asks for none")


def _times(check: HealthCheck) -> Iterator[Violation]:
    for field, value, least, most in (
        ("interval", check.interval, health.SHORTEST_INTERVAL, health.LONGEST),
        ("timeout", check.timeout, health.SHORTEST_TIMEOUT, health.LONGEST_TIMEOUT),
        ("start_period", check.start_period, timedelta(), health.LONGEST),
        ("start_interval", check.start_interval, health.SHORTEST_INTERVAL, health.LONGEST),
    ):
        if value is not None and not least <= value <= most:
            yield Violation(field, f"must be between {_said(least)} and {_said(most)}")
    if check.retries > health.MOST_RETRIES:
        yield Violation("retries", f"must be at most {health.MOST_RETRIES}")


def _probe(check: HealthCheck) -> Iterator[Violation]:
    match check.probe:
        case ExecProbe(args):
            yield from _exec(args)
        case HttpProbe() as http:
            yield from _address("http", http.port, http.host)
            yield from _http(http)
        case TcpProbe(port, host):
            yield from _address("tcp", port, host)
        case GrpcProbe(port, service, host):
            yield from _address("grpc", port, host)
            if len(service) > _LONGEST_SERVICE:
                yield Violation("grpc.service", f"is longer than {_LONGEST_SERVICE} characters")


def _exec(args: tuple[str, ...]) -> Iterator[Violation]:
    if not args or not args[0]:
        yield Violation("exec.args", "needs a program")
    if len(args) > MOST_ARGS:
        yield Violation("exec.args", f"are more than {MOST_ARGS}")
    for number, text in enumerate(args):
        if "\0" in text or len(text.encode()) >= LARGEST_TEXT:
            why = f"must be smaller than {LARGEST_TEXT} bytes, without NUL"
            yield Violation(f"exec.args[{number}]", why)


def _address(kind: str, port: int, host: str) -> Iterator[Violation]:
    if port not in _PORTS:
        yield Violation(f"{kind}.port", "must be between 1 and 65535")
    try:
        if host:
            ip_address(host)
    except ValueError:
        yield Violation(f"{kind}.host", "must be an IP address")


def _http(probe: HttpProbe) -> Iterator[Violation]:
    if probe.path and (len(probe.path) > _LONGEST_PATH or not _PATH.fullmatch(probe.path)):
        yield Violation("http.path", 'must begin with "/", and be printable ASCII without spaces')
    if len(probe.headers) > _MOST_HEADERS:
        yield Violation("http.headers", f"are more than {_MOST_HEADERS}")
    for number, (name, value) in enumerate(probe.headers):
        if not _TOKEN.fullmatch(name) or name.lower() in _OWN_HEADERS:
            yield Violation(f"http.headers[{number}].name", "cannot be sent")
        if len(value) > _LONGEST_HEADER or not _VALUE.fullmatch(value):
            yield Violation(f"http.headers[{number}].value", "must be one line of ASCII")


def _said(time: timedelta) -> str:
    seconds = time.total_seconds()
    if seconds >= 3600:
        return f"{seconds / 3600:g} h"
    return f"{seconds * 1000:g} ms" if 0 < seconds < 1 else f"{seconds:g} s"
