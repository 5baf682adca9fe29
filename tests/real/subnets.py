"""Subnets for the bridges of tests: no two at a time on this machine, whoever tests here."""

from __future__ import annotations

import ipaddress
import json
import secrets
import subprocess
from typing import Final

_POOL: Final = ipaddress.ip_network("10.128.0.0/9")
_ASK_WITHIN: Final = 10.0


def unused(prefix: int = 26) -> ipaddress.IPv4Network:
    """Return a subnet that no route of this host leads to. It is not taken: a bridge does that."""
    known = _routes()
    while True:
        address = int(_POOL.network_address) + secrets.randbelow(_POOL.num_addresses)
        subnet = ipaddress.ip_network((address, prefix), strict=False)
        assert isinstance(subnet, ipaddress.IPv4Network)
        if not any(route.overlaps(subnet) for route in known):
            return subnet


def unused_ipv6() -> ipaddress.IPv6Network:
    """Return a subnet of local addresses, by chance nobody else's."""
    return ipaddress.IPv6Network((b"\xfd" + secrets.token_bytes(7) + bytes(8), 64))


def _routes() -> list[ipaddress.IPv4Network]:
    command = ["ip", "-json", "-4", "route"]
    done = subprocess.run(command, capture_output=True, timeout=_ASK_WITHIN, check=True)
    destinations = (route["dst"] for route in json.loads(done.stdout))
    return [ipaddress.IPv4Network(text) for text in destinations if text != "default"]
