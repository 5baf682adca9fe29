"""Which published ports make sense anywhere. Whether they are free is found out by taking them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from typing import Final

from moored.errors import Violation
from moored.model.ports import PortMapping

MOST_PORTS: Final = 1024
"""Of one container: each is held by a socket of its own."""
LARGEST_PORT: Final = 65535


def violations(ports: Sequence[PortMapping]) -> Iterator[Violation]:
    """Yield what is wrong with ``ports``, whatever network they are of."""
    if sum(mapping.width for mapping in ports) > MOST_PORTS:
        yield Violation("ports", f"are more than {MOST_PORTS}")
    for number, mapping in enumerate(ports):
        yield from _numbers(f"ports[{number}]", mapping)
        yield from _host_ip(f"ports[{number}].host_ip", mapping.host_ip)
    if not any(_is_bad(mapping.host_ip) for mapping in ports):
        yield from _collisions(ports)


def _numbers(field: str, mapping: PortMapping) -> Iterator[Violation]:
    if not 1 <= mapping.container_port <= LARGEST_PORT:
        yield Violation(f"{field}.container_port", f"must be between 1 and {LARGEST_PORT}")
    elif mapping.container_port + mapping.width - 1 > LARGEST_PORT:
        yield Violation(f"{field}.count", f"goes beyond container port {LARGEST_PORT}")
    if mapping.host_port > LARGEST_PORT:
        yield Violation(f"{field}.host_port", f"must be between 0 and {LARGEST_PORT}")
    elif mapping.host_port and mapping.host_port + mapping.width - 1 > LARGEST_PORT:
        yield Violation(f"{field}.count", f"goes beyond host port {LARGEST_PORT}")


def _host_ip(field: str, text: str) -> Iterator[Violation]:
    if why := _is_bad(text):
        yield Violation(field, why)


def _is_bad(text: str) -> str:
    if not text:
        return ""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return "must be an IPv4 or IPv6 address"
    if isinstance(address, ipaddress.IPv6Address):
        if address.is_loopback:
            return "cannot be [::1]: the kernel forwards nothing from there; 127.0.0.1 works"
        if address.ipv4_mapped or address.scope_id or address.is_link_local:
            return "must not be mapped, scoped or link-local"
    if address.is_multicast or address == ipaddress.ip_address("255.255.255.255"):
        return "must be an address of this host"
    return ""


def _collisions(ports: Sequence[PortMapping]) -> Iterator[Violation]:
    for number, mapping in enumerate(ports):
        for earlier in range(number):
            if mapping.collides(ports[earlier]):
                why = f"takes the same port of the host as ports[{earlier}]"
                yield Violation(f"ports[{number}].host_port", why)
