"""The options that publish ports of a container on the host, written as everybody writes them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from collections.abc import Iterable

    from moorage.v1.container_pb2 import PortMapping, PortStatus

PORT_OPTIONS: Final = (
    click.option(
        "--publish",
        "-p",
        multiple=True,
        metavar="[[IP:][HOST]:]PORT[/PROTOCOL]",
        help="Let a port of the host lead into the container: 8080:80, 127.0.0.1:8080:80,"
        " [::]:53:53/udp, 8000-8009:80-89, or 80 for any that is free. Repeatable.",
    ),
)
_PROTOCOLS: Final = ("tcp", "udp", "sctp")
_FORM: Final = re.compile(
    r"(?:(?:(?P<ip>[0-9.]*|\[[0-9a-fA-F:.]*\]):)?(?P<host>[0-9-]*):)?(?P<container>[0-9-]+)"
    r"(?:/(?P<protocol>[a-zA-Z]+))?"
)
_ROW: Final = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")


def port_fields(options: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a spec that ``PORT_OPTIONS`` say, and take those away."""
    return {"ports": [port_mapping(text) for text in options.pop("publish")]}


def port_mapping(text: str) -> PortMapping:
    from moorage.v1.container_pb2 import PortMapping

    match = _FORM.fullmatch(text)
    protocol = (match["protocol"] or "tcp").lower() if match else ""
    if match is None or protocol not in _PROTOCOLS:
        raise _refused(text, "is no port: 80, 8080:80, 127.0.0.1:8080:80/udp, [::]:8080:80")
    container_port, count = _row(text, match["container"])
    host_port, host_count = _row(text, match["host"]) if match["host"] else (0, count)
    if host_count != count:
        raise _refused(text, f"leads from {host_count} ports to {count}")
    return PortMapping(
        container_port=container_port,
        host_port=host_port,
        protocol=f"PORT_PROTOCOL_{protocol.upper()}" if match["protocol"] else None,
        host_ip=(match["ip"] or "").strip("[]"),
        count=count if count > 1 else 0,
    )


def published(ports: Iterable[PortStatus]) -> list[str]:
    """Return each row of ports as people read it: ``0.0.0.0:8080 -> 80/tcp``."""
    from moorage.v1.container_pb2 import PortProtocol

    return [
        f"{_place(port.host_ip, port.host_port, port.count)} -> "
        f"{_numbers(port.container_port, port.count)}/"
        f"{PortProtocol.Name(port.protocol).removeprefix('PORT_PROTOCOL_').lower()}"
        for port in ports
    ]


def _place(host_ip: str, port: int, count: int) -> str:
    host = f"[{host_ip}]" if ":" in host_ip else host_ip or "*"
    return f"{host}:{_numbers(port, count)}"


def _numbers(first: int, count: int) -> str:
    return f"{first}-{first + count - 1}" if count > 1 else str(first)


def _row(text: str, numbers: str) -> tuple[int, int]:
    """Return the first port and how many there are."""
    match = _ROW.fullmatch(numbers)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 1 <= first <= last:
        raise _refused(text, f"has {numbers!r} where a port or FIRST-LAST must be")
    return first, last - first + 1


def _refused(text: str, why: str) -> click.BadParameter:
    return click.BadParameter(f"{text!r} {why}", param_hint="--publish")
