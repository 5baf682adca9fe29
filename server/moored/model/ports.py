"""Ports of the host that lead into a container: as they are asked for, and as they are published.

Values and arithmetic only; ``network/`` takes them, holds them and forwards them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum


class Protocol(StrEnum):
    TCP = "tcp"
    UDP = "udp"
    SCTP = "sctp"


class Family(StrEnum):
    """In nftables' words."""

    V4 = "ip"
    V6 = "ip6"


@dataclass(frozen=True)
class PortMapping:
    """Ports in a row of the host, and where they lead to."""

    container_port: int
    host_port: int = 0
    """0: any that is free. Never 0 once it is published."""
    protocol: Protocol = Protocol.TCP
    host_ip: str = ""
    """An address of the host. Empty: all that it has."""
    count: int = 0
    """How many in a row. 0 means 1."""

    @property
    def width(self) -> int:
        return self.count or 1

    @property
    def pairs(self) -> Iterator[tuple[int, int]]:
        """Each port of the host with the container's that it leads to."""
        for offset in range(self.width):
            yield self.host_port + offset, self.container_port + offset

    @property
    def families(self) -> frozenset[Family]:
        """Which of them the host's address stands for."""
        if not self.host_ip:
            return frozenset(Family)
        return frozenset({family_of(self.host_ip)})

    @property
    def everywhere(self) -> bool:
        """Whether all addresses of a family are meant, and not one."""
        return not self.host_ip or ipaddress.ip_address(self.host_ip).is_unspecified

    def at(self, host_port: int) -> PortMapping:
        return replace(self, host_port=host_port)

    def collides(self, other: PortMapping) -> bool:
        """Whether both need the same port of the host."""
        return (
            self.protocol is other.protocol
            and 0 not in (self.host_port, other.host_port)
            and self.host_port < other.host_port + other.width
            and other.host_port < self.host_port + self.width
            and self._shares_address(other)
        )

    def _shares_address(self, other: PortMapping) -> bool:
        if not self.families & other.families:
            return False
        return self.everywhere or other.everywhere or same_address(self.host_ip, other.host_ip)

    def __str__(self) -> str:
        return f"{place(self.host_ip, self.host_port, self.width)}/{self.protocol}"


def family_of(address: str) -> Family:
    return Family.V6 if ipaddress.ip_address(address).version == 6 else Family.V4


def same_address(one: str, other: str) -> bool:
    return ipaddress.ip_address(one) == ipaddress.ip_address(other)


def place(host_ip: str, port: int, width: int = 1) -> str:
    """Return ``[::]:80`` or ``0.0.0.0:8000-8009``, as messages write it."""
    host = f"[{host_ip}]" if ":" in host_ip else host_ip or "*"
    return f"{host}:{port}" if width == 1 else f"{host}:{port}-{port + width - 1}"
