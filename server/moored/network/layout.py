"""How the bridge of an instance is laid out: its names, its addresses, and what marks it as ours.

Pure: the same settings, the same names and addresses. Two instances differ in all of them.
"""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from moored.bridge_settings import BridgeSettings
    from moored.model.identity import RunId

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Interface: TypeAlias = ipaddress.IPv4Interface | ipaddress.IPv6Interface
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_LONGEST_NAME: Final = 15
_OURS: Final = b"\x02m"
"""How MAC addresses begin that are given by us: local ones, of a station."""


@dataclass(frozen=True)
class Layout:
    instance: str
    bridge: str
    gateways: tuple[Interface, ...]
    """The host's address in each subnet: that of IPv4 first."""
    mtu: int = 1500
    isolated: bool = False

    @classmethod
    def of(cls, instance: str, settings: BridgeSettings) -> Layout:
        pairs = (
            (settings.bridge_subnet, settings.bridge_gateway),
            (settings.bridge_subnet_ipv6, settings.bridge_gateway_ipv6),
        )
        return cls(
            instance=instance,
            bridge=settings.bridge_name or _bridge_name(instance),
            gateways=tuple(_gateway(subnet, gateway) for subnet, gateway in pairs if subnet),
            mtu=settings.bridge_mtu,
            isolated=settings.bridge_isolation,
        )

    @property
    def subnets(self) -> tuple[Network, ...]:
        return tuple(gateway.network for gateway in self.gateways)

    @property
    def has_ipv6(self) -> bool:
        return any(gateway.version == 6 for gateway in self.gateways)

    @property
    def bridge_mac(self) -> bytes:
        """By this the bridge is known to be ours: nobody else gives it this one."""
        return _OURS[:1] + _digest(f"bridge of {self.instance}")[:5]

    def subnet_of(self, address: Address) -> Interface | None:
        """Return the gateway of the subnet that an address is in, with the prefix's length."""
        return next((g for g in self.gateways if address in g.network), None)

    def is_for_container(self, address: Address) -> bool:
        """Whether a container may have ``address``: of a subnet, and neither an end nor ours."""
        gateway = self.subnet_of(address)
        if gateway is None or address == gateway.ip:
            return False
        network = gateway.network
        ends = (network.network_address, network.broadcast_address)
        return address not in (ends if network.version == 4 else ends[:1])

    def link(self, run: RunId, interface: str) -> str:
        """Return the name of the host's end of an interface: no other run ever has it."""
        return f"mv{_digest(f'{self.instance}/{run}/{interface}').hex()[: _LONGEST_NAME - 2]}"

    def alias(self, of: str) -> str:
        """Return what a link tells people of whose it is."""
        return f"moorage {self.instance} {of}"


def mac_of(address: ipaddress.IPv4Address) -> str:
    """Return the MAC address that goes with an IPv4 address.

    Always the same: whoever remembers it from the container before is not wrong.
    """
    return mac_text(_OURS + address.packed)


def mac_text(raw: bytes) -> str:
    return ":".join(f"{byte:02x}" for byte in raw)


def mac_bytes(text: str) -> bytes:
    return bytes(int(part, 16) for part in text.split(":"))


def _gateway(subnet: str, gateway: str) -> Interface:
    network = ipaddress.ip_network(subnet)
    address = ipaddress.ip_address(gateway) if gateway else network.network_address + 1
    return ipaddress.ip_interface(f"{address}/{network.prefixlen}")


def _bridge_name(instance: str) -> str:
    name = f"{instance}0"
    if len(name) <= _LONGEST_NAME:
        return name
    return f"mb{_digest(instance).hex()[: _LONGEST_NAME - 2]}"


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
