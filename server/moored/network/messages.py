"""What is asked of the kernel, message by message: links, addresses, routes, neighbours."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from moored.network.netlink import (
    CREATE,
    EXCLUSIVE,
    Message,
    attribute,
    attributes,
    nested,
    text,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface

_NEW_LINK: Final = 16
_DELETE_LINK: Final = 17
_GET_LINK: Final = 18
_SET_LINK: Final = 19
_NEW_ADDRESS: Final = 20
_GET_ADDRESS: Final = 22
_NEW_ROUTE: Final = 24
_GET_ROUTE: Final = 26

_LINK: Final = struct.Struct("=BxHiII")
_ADDRESS: Final = struct.Struct("=BBBBI")
_ROUTE: Final = struct.Struct("=BBBBBBBBI")
UP: Final = 0x1
_NO_DUPLICATE_DETECTION: Final = 0x02
_MAIN_TABLE: Final = 254
_STATIC: Final = 4
_UNICAST: Final = 1
_UNIVERSE: Final = 0

_IFLA_ADDRESS: Final = 1
_IFLA_IFNAME: Final = 3
_IFLA_MTU: Final = 4
_IFLA_MASTER: Final = 10
_IFLA_LINKINFO: Final = 18
_IFLA_IFALIAS: Final = 20
_IFLA_NET_NS_FD: Final = 28
_INFO_KIND: Final = 1
_INFO_DATA: Final = 2
_INFO_SLAVE_KIND: Final = 4
_INFO_SLAVE_DATA: Final = 5
_VETH_PEER: Final = 1
_PORT_HAIRPIN: Final = 4
_PORT_ISOLATED: Final = 33
_IFA_ADDRESS: Final = 1
_IFA_LOCAL: Final = 2
_IFA_FLAGS: Final = 8
_RTA_DESTINATION: Final = 1
_RTA_INTERFACE: Final = 4
_RTA_GATEWAY: Final = 5


@dataclass(frozen=True)
class Link:
    index: int
    name: str
    kind: str
    """bridge, veth …; empty for what is no virtual device."""
    mac: bytes
    up: bool
    master: int
    alias: str = ""
    """What it tells people of itself."""


def get_link(name: str) -> Message:
    return Message(_GET_LINK, 0, _link() + attribute(_IFLA_IFNAME, name), f"find link {name!r}")


def list_links(master: int = 0) -> Message:
    chosen = attribute(_IFLA_MASTER, master) if master else b""
    return Message(_GET_LINK, 0, _link() + chosen, "list links")


def read_link(payload: bytes) -> Link:
    _, _, index, flags, _ = _LINK.unpack_from(payload)
    found = attributes(payload[_LINK.size :])
    kind = attributes(found.get(_IFLA_LINKINFO, b"")).get(_INFO_KIND, b"")
    return Link(
        index=index,
        name=text(found[_IFLA_IFNAME]),
        kind=text(kind),
        mac=found.get(_IFLA_ADDRESS, b""),
        up=bool(flags & UP),
        master=_number(found, _IFLA_MASTER),
        alias=text(found.get(_IFLA_IFALIAS, b"")),
    )


def new_bridge(name: str, *, mac: bytes, mtu: int) -> Message:
    """Make a bridge, down. Its MAC is given: else it would take that of a port."""
    body = (
        attribute(_IFLA_IFNAME, name)
        + attribute(_IFLA_ADDRESS, mac)
        + attribute(_IFLA_MTU, mtu)
        + _kind("bridge")
    )
    return Message(_NEW_LINK, CREATE | EXCLUSIVE, _link() + body, f"make bridge {name!r}", "bridge")


def new_pair(
    name: str, *, bridge: int, mtu: int, peer: str, peer_mac: bytes, namespace: int
) -> Message:
    """Make a pair of interfaces: a port of a bridge here, down, and its peer in a namespace."""
    far = (
        _link()
        + attribute(_IFLA_IFNAME, peer)
        + attribute(_IFLA_ADDRESS, peer_mac)
        + attribute(_IFLA_MTU, mtu)
        + attribute(_IFLA_NET_NS_FD, namespace)
    )
    near = (
        attribute(_IFLA_IFNAME, name)
        + attribute(_IFLA_MTU, mtu)
        + attribute(_IFLA_MASTER, bridge)
        + _kind("veth", nested(_VETH_PEER, far))
    )
    return Message(_NEW_LINK, CREATE | EXCLUSIVE, _link() + near, f"make link {name!r}", "pair")


def set_port(name: str, *, alias: str, isolated: bool) -> Message:
    """Name the owner of a bridge's port, and say whom it may talk to."""
    port = nested(
        _INFO_SLAVE_DATA,
        attribute(_PORT_HAIRPIN, b"\x01"),
        attribute(_PORT_ISOLATED, bytes((isolated,))),
    )
    info = nested(_IFLA_LINKINFO, attribute(_INFO_SLAVE_KIND, b"bridge"), port)
    body = attribute(_IFLA_IFNAME, name) + attribute(_IFLA_IFALIAS, alias) + info
    return Message(_NEW_LINK, 0, _link() + body, f"set port {name!r}", "port")


def set_up(name: str, *, alias: str = "") -> Message:
    words = attribute(_IFLA_IFALIAS, alias) if alias else b""
    body = _link(flags=UP, change=UP) + attribute(_IFLA_IFNAME, name) + words
    return Message(_SET_LINK, 0, body, f"set up link {name!r}", "up")


def delete_link(index: int, name: str) -> Message:
    return Message(_DELETE_LINK, 0, _link(index=index), f"delete link {name!r}", "delete")


def new_address(index: int, address: IPv4Interface | IPv6Interface, on: str) -> Message:
    raw = address.ip.packed
    body = attribute(_IFA_LOCAL, raw) + attribute(_IFA_ADDRESS, raw)
    if address.version == 6:  # we are who gives them out: nobody else can have it
        body += attribute(_IFA_FLAGS, _NO_DUPLICATE_DETECTION)
    header = _ADDRESS.pack(_family(address.version), address.network.prefixlen, 0, 0, index)
    return Message(
        _NEW_ADDRESS, CREATE | EXCLUSIVE, header + body, f"give {on!r} address {address}", "address"
    )


def list_addresses() -> Message:
    return Message(_GET_ADDRESS, 0, _ADDRESS.pack(0, 0, 0, 0, 0), "list addresses")


def read_address(payload: bytes) -> tuple[int, bytes, int]:
    """Return the index of a link, an address that it has, and the length of its prefix."""
    _, prefix, _, _, index = _ADDRESS.unpack_from(payload)
    found = attributes(payload[_ADDRESS.size :])
    return index, found.get(_IFA_LOCAL) or found.get(_IFA_ADDRESS, b""), prefix


def new_default_route(index: int, gateway: IPv4Address | IPv6Address) -> Message:
    family = _family(gateway.version)
    header = _ROUTE.pack(family, 0, 0, 0, _MAIN_TABLE, _STATIC, _UNIVERSE, _UNICAST, 0)
    body = attribute(_RTA_GATEWAY, gateway.packed) + attribute(_RTA_INTERFACE, index)
    return Message(
        _NEW_ROUTE, CREATE | EXCLUSIVE, header + body, f"set default route by {gateway}", "route"
    )


def list_routes(version: int) -> Message:
    header = _ROUTE.pack(_family(version), 0, 0, 0, _MAIN_TABLE, 0, 0, 0, 0)
    return Message(_GET_ROUTE, 0, header, "list routes")


def read_route(payload: bytes) -> tuple[int, bytes, int]:
    """Return the index of a link, where a route by it leads, and the length of that prefix."""
    _, length, *_ = _ROUTE.unpack_from(payload)
    found = attributes(payload[_ROUTE.size :])
    return _number(found, _RTA_INTERFACE), found.get(_RTA_DESTINATION, b""), length


def _link(index: int = 0, flags: int = 0, change: int = 0) -> bytes:
    return _LINK.pack(socket.AF_UNSPEC, 0, index, flags, change)


def _kind(kind: str, *settings: bytes) -> bytes:
    described = [attribute(_INFO_KIND, kind.encode())]
    if settings:
        described.append(nested(_INFO_DATA, *settings))
    return nested(_IFLA_LINKINFO, *described)


def _family(version: int) -> int:
    return socket.AF_INET if version == 4 else socket.AF_INET6


def _number(found: Mapping[int, bytes], kind: int) -> int:
    return int(struct.unpack("=I", found[kind])[0]) if kind in found else 0
