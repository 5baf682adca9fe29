"""Which wishes for networks make sense anywhere. What exists here is the network's to say."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Final

from moored.errors import Violation
from moored.model import cni_rules
from moored.model.network import HOST, HOST_GATEWAY, NONE, SHARED, Attachment, Dns
from moored.model.spec import Spec

MOST_NETWORKS: Final = 16
MOST_SERVERS: Final = 3
"""What resolvers read."""
MOST_SEARCHES: Final = 32
MOST_HOSTS: Final = 1024
_LONGEST_HOSTNAME: Final = 63
_LABEL: Final = r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_HOSTNAME: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_DOMAIN: Final = re.compile(rf"(?=.{{1,253}}\Z)_?{_LABEL}(\._?{_LABEL})*\.?")
_EXTRA: Final = re.compile(r"(?=.{1,253}\Z)[a-zA-Z0-9_]([a-zA-Z0-9_.-]*[a-zA-Z0-9_])?")
_NETWORK: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}")
_MAC: Final = re.compile(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}")
_OPTION: Final = re.compile(r"[a-z0-9][a-z0-9-]*(:[0-9]{1,5})?")
_BESIDE: Final = (NONE, HOST)
"""Names that stand for no network that one can be attached to."""


def violations(spec: Spec) -> Iterator[Violation]:
    yield from _names(spec)
    for number, asked in enumerate(spec.networks):
        yield from _attachment(asked, f"networks[{number}]")
    yield from _own_names(spec)
    yield from _dns(spec.dns)
    for number, line in enumerate(spec.extra_hosts):
        if why := _extra_host(line):
            yield Violation(f"extra_hosts[{number}]", why)
    yield from _beside(spec)


def is_network_name(name: str) -> bool:
    return _NETWORK.fullmatch(name) is not None


def _names(spec: Spec) -> Iterator[Violation]:
    if spec.network and not spec.network.startswith(SHARED) and not is_network_name(spec.network):
        yield Violation("network", 'must be "none", "host", "container:REF" or a network\'s name')
    if spec.network and spec.networks:
        yield Violation("network", "does not go with networks, which say the same")
    if len(spec.networks) > MOST_NETWORKS:
        yield Violation("networks", f"are more than {MOST_NETWORKS}")
    seen: set[str] = set()
    for number, asked in enumerate(spec.networks):
        if asked.name in seen:
            yield Violation(f"networks[{number}].name", f"names {asked.name!r} a second time")
        seen.add(asked.name)


def _attachment(asked: Attachment, path: str) -> Iterator[Violation]:
    if asked.name in _BESIDE:
        yield Violation(f"{path}.name", "is no network to be attached to; say so in network")
    elif not is_network_name(asked.name):
        yield Violation(f"{path}.name", "must be a network's name")
    versions: set[int] = set()
    for number, text in enumerate(asked.addresses):
        found = _address(text)
        if found is None or found.is_unspecified or found.is_multicast or found.is_loopback:
            yield Violation(f"{path}.addresses[{number}]", "must be an address of a host")
        elif found.version in versions:
            yield Violation(f"{path}.addresses[{number}]", f"is a second of IPv{found.version}")
        versions.add(found.version if found else 0)
    for broken in cni_rules.violations(asked):
        yield Violation(f"{path}.{broken.field}", broken.why)
    if asked.mac_address and not _is_station(asked.mac_address):
        yield Violation(
            f"{path}.mac_address", "must be six hexadecimal bytes with colons, not a multicast one"
        )


def _own_names(spec: Spec) -> Iterator[Violation]:
    name = spec.hostname
    if name and not (len(name) <= _LONGEST_HOSTNAME and _HOSTNAME.fullmatch(name)):
        yield Violation("hostname", "must be a host name of at most 63 characters")
    if spec.domain_name and not _DOMAIN.fullmatch(spec.domain_name):
        yield Violation("domain_name", "must be a domain's name")


def _dns(dns: Dns) -> Iterator[Violation]:
    if len(dns.servers) > MOST_SERVERS:
        yield Violation("dns.servers", f"are more than the {MOST_SERVERS} that resolvers read")
    for number, server in enumerate(dns.servers):
        if _address(server) is None:
            yield Violation(f"dns.servers[{number}]", "must be an address")
    if len(dns.searches) > MOST_SEARCHES:
        yield Violation("dns.searches", f"are more than {MOST_SEARCHES}")
    for number, domain in enumerate(dns.searches):
        if domain == "." and len(dns.searches) > 1:
            yield Violation(f"dns.searches[{number}]", "means none, and stands alone")
        elif domain != "." and not _DOMAIN.fullmatch(domain):
            yield Violation(f"dns.searches[{number}]", "must be a domain's name")
    for number, option in enumerate(dns.options):
        if not _OPTION.fullmatch(option):
            yield Violation(
                f"dns.options[{number}]", 'must be as in resolv.conf, such as "ndots:2"'
            )


def _extra_host(line: str) -> str:
    name, colon, address = line.partition(":")
    if not colon or not _EXTRA.fullmatch(name):
        return "must be HOST:ADDRESS"
    if address != HOST_GATEWAY and _address(address) is None:
        return f"has {address!r} where an address must be"
    return ""


def _beside(spec: Spec) -> Iterator[Violation]:
    """What goes with no network of one's own, and what goes with no other's."""
    shared = spec.network.startswith(SHARED)
    if spec.network == HOST or shared:
        whose = "the host's" if spec.network == HOST else "that container's"
        for field, value in (("hostname", spec.hostname), ("domain_name", spec.domain_name)):
            if value:
                yield Violation(
                    field, f"cannot be set with network {spec.network!r}: it is {whose}"
                )
    if shared:
        for field, given in (("dns", spec.dns != Dns()), ("extra_hosts", spec.extra_hosts)):
            if given:
                yield Violation(field, "cannot be set where another container's network is shared")
    if spec.network in (NONE, HOST):
        for number, line in enumerate(spec.extra_hosts):
            if line.endswith(f":{HOST_GATEWAY}"):
                why = f"needs a network with a gateway, which {spec.network!r} has not"
                yield Violation(f"extra_hosts[{number}]", why)
    if len(spec.extra_hosts) > MOST_HOSTS:
        yield Violation("extra_hosts", f"are more than {MOST_HOSTS}")


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _is_station(mac: str) -> bool:
    return (
        _MAC.fullmatch(mac) is not None
        and not int(mac[:2], 16) & 1
        and set(mac) - set("0:") != set()
    )
