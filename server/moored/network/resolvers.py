"""resolv.conf: what the host has, and what a container gets of it. Texts in, texts out."""

from __future__ import annotations

import ipaddress
from typing import Final

from moored.model.network import Dns

FALLBACK: Final = ("8.8.8.8", "8.8.4.4")
FALLBACK_IPV6: Final = ("2001:4860:4860::8888", "2001:4860:4860::8844")
"""Public ones, as the engines have them: where every server of the host's is on its loopback."""
_NO_SEARCH: Final = (".",)


def read(text: str) -> Dns:
    """Return what a resolv.conf says: the last search line counts, and of all else each line."""
    servers: list[str] = []
    searches: tuple[str, ...] = ()
    options: list[str] = []
    for line in text.splitlines():
        match line.split():
            case ["nameserver", server, *_]:
                servers.append(server)
            case ["search" | "domain", *domains]:
                searches = tuple(domains)
            case ["options", *more]:
                options += more
    return Dns(tuple(servers), searches, tuple(options))


def render(dns: Dns) -> str:
    lines = [f"nameserver {server}" for server in dns.servers]
    if dns.searches and dns.searches != _NO_SEARCH:
        lines.append(f"search {' '.join(dns.searches)}")
    if dns.options:
        lines.append(f"options {' '.join(dns.options)}")
    return "".join(f"{line}\n" for line in lines)


def overridden(host: Dns, asked: Dns) -> Dns:
    """Return what the host has, with each part that was asked for in its place."""
    return Dns(
        servers=asked.servers or host.servers,
        searches=asked.searches or host.searches,
        options=asked.options or host.options,
    )


def reachable(host: Dns, *, ipv6: bool) -> Dns:
    """Return ``host`` with servers that can be reached from another network namespace."""
    servers = tuple(server for server in host.servers if _is_reachable(server, ipv6=ipv6))
    fallback = FALLBACK + (FALLBACK_IPV6 if ipv6 else ())
    return Dns(servers or fallback, host.searches, host.options)


def only_loopback(host: Dns) -> bool:
    """Whether every server is on the host's loopback, as those of a local resolver are."""
    return bool(host.servers) and all(_is_loopback(server) for server in host.servers)


def _is_reachable(server: str, *, ipv6: bool) -> bool:
    try:
        address = ipaddress.ip_address(server)
    except ValueError:
        return False
    if address.version == 6 and (not ipv6 or address.scope_id):
        return False
    return not (address.is_loopback or address.is_unspecified)


def _is_loopback(server: str) -> bool:
    try:
        return ipaddress.ip_address(server).is_loopback
    except ValueError:
        return False
