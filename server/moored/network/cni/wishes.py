"""What one container asks of a network, and the words in which its plugins are told.

A plugin is told what its configuration declares a capability for, and nothing else. What is
asked of a network that declares no capability for it is refused by its field.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from moored.errors import Violation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from moored.model.network import Attachment, Bandwidth, Dns
    from moored.model.ports import PortMapping
    from moored.network.cni.configuration import NetworkList


@dataclass(frozen=True)
class Port:
    host_port: int
    container_port: int
    protocol: str
    """``tcp``, ``udp`` or ``sctp``."""
    host_address: str = ""


@dataclass(frozen=True)
class Wish:
    addresses: tuple[str, ...] = ()
    mac: str = ""
    ports: tuple[Port, ...] = ()
    bandwidth: Bandwidth | None = None
    aliases: tuple[str, ...] = ()
    dns: Dns | None = None
    """What the container has for resolv.conf: told where a network wants to know."""
    arguments: Mapping[str, str] = field(default_factory=dict)


_FIELDS: Final = {
    "ips": "addresses",
    "mac": "mac_address",
    "portMappings": "ports",
    "bandwidth": "bandwidth",
    "aliases": "aliases",
}
"""Which field of an attachment needs which capability."""


def refusals(wish: Wish, network: NetworkList) -> list[Violation]:
    """Return each field of an attachment that asks for what ``network`` does not declare."""
    asked = capability_arguments(wish)
    return [
        Violation(
            name, f"cannot be had: network {network.name!r} declares no capability {capability!r}"
        )
        for capability, name in _FIELDS.items()
        if capability in asked and capability not in network.capabilities
    ]


def unnamed(asked: Attachment) -> Iterator[Violation]:
    """Yield each port of the host that is left open: no plugin chooses one, and tells which."""
    for number, mapping in enumerate(asked.ports):
        if not mapping.host_port:
            why = f"must be named: network {asked.name!r} chooses none"
            yield Violation(f"ports[{number}].host_port", why)


def ports(mappings: Iterable[PortMapping]) -> Iterator[Port]:
    """Yield each port of each row, as plugins want them."""
    for mapping in mappings:
        for host_port, container_port in mapping.pairs:
            yield Port(host_port, container_port, mapping.protocol.value, mapping.host_ip)


def capability_arguments(wish: Wish) -> dict[str, Any]:
    """Return what is asked for, by capability, in the conventions' words."""
    given = {
        "ips": list(wish.addresses),
        "mac": wish.mac,
        "portMappings": [_port(port) for port in wish.ports],
        "bandwidth": _bandwidth(wish.bandwidth),
        "aliases": list(wish.aliases),
        "dns": _dns(wish.dns),
    }
    return {capability: value for capability, value in given.items() if value}


def argument_text(arguments: Mapping[str, str]) -> str:
    """Return CNI_ARGS. Plugins of a chain that do not know an argument are to pass over it."""
    if not arguments:
        return ""
    known = {"IgnoreUnknown": "1", **arguments}
    return ";".join(f"{key}={value}" for key, value in known.items())


def _port(port: Port) -> dict[str, Any]:
    mapping: dict[str, Any] = {
        "hostPort": port.host_port,
        "containerPort": port.container_port,
        "protocol": port.protocol,
    }
    return {**mapping, "hostIP": port.host_address} if port.host_address else mapping


def _bandwidth(limits: Bandwidth | None) -> dict[str, int]:
    if limits is None:
        return {}
    given = {
        "ingressRate": limits.ingress_rate,
        "ingressBurst": limits.ingress_burst,
        "egressRate": limits.egress_rate,
        "egressBurst": limits.egress_burst,
    }
    return {key: value for key, value in given.items() if value}


def _dns(dns: Dns | None) -> dict[str, list[str]]:
    if dns is None:
        return {}
    given = {
        "servers": list(dns.servers),
        "searches": list(dns.searches),
        "options": list(dns.options),
    }
    return {key: value for key, value in given.items() if value}
