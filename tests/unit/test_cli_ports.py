"""``-p`` is read as everybody writes it, and what is no port is refused before any call."""

from __future__ import annotations

import click
import pytest

from moorage.cli.port_options import port_mapping, published
from moorage.v1 import container_pb2 as wire

TCP, UDP, SCTP = wire.PORT_PROTOCOL_TCP, wire.PORT_PROTOCOL_UDP, wire.PORT_PROTOCOL_SCTP


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("80", wire.PortMapping(container_port=80)),
        (":80", wire.PortMapping(container_port=80)),
        ("8080:80", wire.PortMapping(container_port=80, host_port=8080)),
        ("53/udp", wire.PortMapping(container_port=53, protocol=UDP)),
        ("8080:80/TCP", wire.PortMapping(container_port=80, host_port=8080, protocol=TCP)),
        ("9:9/sctp", wire.PortMapping(container_port=9, host_port=9, protocol=SCTP)),
        ("127.0.0.1::80", wire.PortMapping(container_port=80, host_ip="127.0.0.1")),
        (
            "127.0.0.1:8080:80",
            wire.PortMapping(container_port=80, host_port=8080, host_ip="127.0.0.1"),
        ),
        ("[::]:8080:80", wire.PortMapping(container_port=80, host_port=8080, host_ip="::")),
        ("[2001:db8::7]::80", wire.PortMapping(container_port=80, host_ip="2001:db8::7")),
        ("8000-8009:80-89", wire.PortMapping(container_port=80, host_port=8000, count=10)),
        ("80-89/udp", wire.PortMapping(container_port=80, count=10, protocol=UDP)),
        ("80-80", wire.PortMapping(container_port=80)),
        # What only the server can refuse, it does, with the field.
        ("[::1]:80:80", wire.PortMapping(container_port=80, host_port=80, host_ip="::1")),
        ("70000", wire.PortMapping(container_port=70000)),
    ],
)
def test_a_port_is_read(text: str, meant: wire.PortMapping) -> None:
    assert port_mapping(text) == meant


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is no port"),
        ("web", "is no port"),
        ("80/tpc", "is no port"),
        ("1:2:3:4", "is no port"),
        ("::1:80:80", "is no port"),
        ("8080:", "is no port"),
        ("0", "has '0' where a port or FIRST-LAST must be"),
        ("90-80", "has '90-80' where a port or FIRST-LAST must be"),
        ("1-2-3:4", "has '1-2-3' where a port or FIRST-LAST must be"),
        ("8000-8009:80", "leads from 10 ports to 1"),
        ("8000:80-89", "leads from 1 ports to 10"),
    ],
)
def test_what_is_no_port_is_refused(text: str, why: str) -> None:
    with pytest.raises(click.BadParameter) as refused:
        port_mapping(text)
    assert why in refused.value.message


def test_what_is_published_is_shown_as_it_is_reached() -> None:
    shown = published(
        [
            wire.PortStatus(container_port=80, host_port=8080, protocol=TCP, count=1),
            wire.PortStatus(
                container_port=80, host_port=8000, protocol=UDP, host_ip="127.0.0.1", count=10
            ),
            wire.PortStatus(container_port=9, host_port=9, protocol=SCTP, host_ip="::", count=1),
        ]
    )
    assert shown == [
        "*:8080 -> 80/tcp",
        "127.0.0.1:8000-8009 -> 80-89/udp",
        "[::]:9 -> 9/sctp",
    ]
