"""The table of an instance, as text for nftables. Pure: the same facts, the same table.

What it does to packets, and to nobody else's rules:

- what comes from the bridge never reaches 127.0.0.0/8 of the host, nor claims to be from there;
- what leaves the bridge for elsewhere is masqueraded;
- what is for a published port of an address of this host goes to its container, wherever it
  comes from: another machine, this host, another container, or the container itself;
- nothing else that was not asked for from inside is let in through the bridge.

The maps have a key for each published port, so that a packet costs the same however many there
are. Each element's comment is the run that published it.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from moored.model.ports import Family, Protocol, family_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from moored.network.named_elements import Named

_PORTS: Final = {
    (Family.V4, False): ("ports4", "inet_proto . ipv4_addr . inet_service", "ipv4_addr"),
    (Family.V4, True): ("ports4_all", "inet_proto . inet_service", "ipv4_addr"),
    (Family.V6, False): ("ports6", "inet_proto . ipv6_addr . inet_service", "ipv6_addr"),
    (Family.V6, True): ("ports6_all", "inet_proto . inet_service", "ipv6_addr"),
}
"""The maps: by family, and whether the port is published on all addresses of the host."""

_NUMBERS: Final = {Protocol.TCP: 6, Protocol.UDP: 17, Protocol.SCTP: 132}
"""IANA's, since the names are those of a file that a host may not have."""


@dataclass(frozen=True)
class BridgeFacts:
    """What the rules have to know of the bridge."""

    interface: str
    subnets: tuple[str, ...]
    """In CIDR notation, at most one of each family."""
    isolated: bool = False
    """Whether its containers reach each other by published ports only."""

    @property
    def families(self) -> frozenset[Family]:
        return frozenset(
            Family.V6 if ipaddress.ip_network(subnet).version == 6 else Family.V4
            for subnet in self.subnets
        )


@dataclass(frozen=True, order=True)
class Way:
    """One port of the host, and where it leads: one element of a map."""

    protocol: Protocol
    host_ip: str
    """Empty: all addresses of the host that are of the target's family."""
    host_port: int
    address: str
    container_port: int

    @property
    def family(self) -> Family:
        return family_of(self.address)

    @property
    def map(self) -> str:
        return _PORTS[self.family, not self.host_ip][0]

    @property
    def key(self) -> str:
        host = f"{self.host_ip} . " if self.host_ip else ""
        return f"{_NUMBERS[self.protocol]} . {host}{self.host_port}"


def table(name: str, bridge: BridgeFacts, ways: Iterable[tuple[str, Way]]) -> str:
    """Return the commands that make the whole table, in place of any that there is.

    ``ways`` are pairs of a run and a way of its.
    """
    return (
        f"add table inet {name}\n"
        f"delete table inet {name}\n"
        f"table inet {name} {{\n"
        f"{_maps()}{_published()}{_chains(bridge)}}}\n"
        f"{additions(name, ways)}"
    )


def no_table(name: str) -> str:
    """Return the commands after which there is no table, whether there was one or not."""
    return f"add table inet {name}\ndelete table inet {name}\n"


def additions(name: str, ways: Iterable[tuple[str, Way]]) -> str:
    return "".join(
        f"add element inet {name} {way.map} "
        f'{{ {way.key} comment "{run}" : {way.address} . {way.container_port} }}\n'
        for run, way in ways
    )


def removals(name: str, elements: Iterable[Way | Named]) -> str:
    return "".join(f"delete element inet {name} {each.map} {{ {each.key} }}\n" for each in elements)


def _maps() -> str:
    return "".join(
        f"  map {name} {{ type {key} : {target} . inet_service\n }}\n"
        for name, key, target in _PORTS.values()
    )


def _published() -> str:
    return """\
  chain published {
    dnat ip to meta l4proto . ip daddr . th dport map @ports4
    dnat ip to meta l4proto . th dport map @ports4_all
    dnat ip6 to meta l4proto . ip6 daddr . th dport map @ports6
    dnat ip6 to meta l4proto . th dport map @ports6_all
  }
"""


def _chains(bridge: BridgeFacts) -> str:
    name = f'"{bridge.interface}"'
    # By their addresses: where a packet came in is not known here on a bridge that is filtered.
    masquerades = "".join(
        f"    oifname != {name} {network} masquerade\n"
        f"    oifname {name} {network} ct status dnat masquerade\n"
        for network in map(_network, bridge.subnets)
    )
    between = "ct status dnat" if bridge.isolated else f"iifname {name}"
    # -300: before connections are tracked, and so before a published port of 127.0.0.1 can be
    # told from one that is not. -100 is where destinations are changed, 100 where sources are.
    return f"""\
  chain loopback {{
    type filter hook prerouting priority -300; policy accept;
    iifname {name} ip daddr 127.0.0.0/8 drop
    iifname {name} ip saddr 127.0.0.0/8 drop
  }}
  chain arriving {{
    type nat hook prerouting priority -100; policy accept;
    fib daddr type local jump published
  }}
  chain leaving {{
    type nat hook output priority -100; policy accept;
    ip6 daddr ::1 return
    fib daddr type local jump published
  }}
  chain masquerading {{
    type nat hook postrouting priority 100; policy accept;
    oifname {name} ip saddr 127.0.0.0/8 masquerade
{masquerades}\
  }}
  chain forwarding {{
    type filter hook forward priority 0; policy accept;
    oifname != {name} accept
    ct state established,related accept
    ct status dnat accept
    {between} accept
    oifname {name} drop
  }}
"""


def _network(subnet: str) -> str:
    family = Family.V6 if ":" in subnet else Family.V4
    return f"{family} saddr {subnet}"
