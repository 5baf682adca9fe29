"""Settings of the built-in bridge: its name, its addresses, and who may talk to whom on it."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, Field, ValidationInfo, field_validator

_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,14}")
_SMALLEST_MTU: Final = 1280
"""What IPv6 needs."""
_ROOM: Final = {4: 30, 6: 126}
"""The longest prefix that leaves an address for a container beside the gateway's."""


def _bridge(name: str) -> str:
    if name and not _NAME.fullmatch(name):
        raise ValueError("must be the name of a link: at most 15 characters")
    return name


def _subnet(version: int, text: str) -> str:
    if not text:
        return text
    network = ipaddress.ip_network(text)
    if network.version != version:
        raise ValueError(f"must be a subnet of IPv{version}")
    if network.is_loopback or network.is_multicast or network.is_link_local:
        raise ValueError("must not be a loopback, multicast or link-local one")
    if network.prefixlen > _ROOM[version]:
        raise ValueError(f"must leave room for containers: a prefix of at most {_ROOM[version]}")
    return str(network)


def _subnet4(text: str) -> str:
    if not text:
        raise ValueError("must be a subnet of IPv4, such as 10.210.0.0/16")
    return _subnet(4, text)


def _subnet6(text: str) -> str:
    return _subnet(6, text)


class BridgeSettings(BaseModel):
    bridge_name: Annotated[str, AfterValidator(_bridge)] = ""
    """Empty: one that follows from the instance's."""
    bridge_subnet: Annotated[str, AfterValidator(_subnet4)] = "10.210.0.0/16"
    bridge_gateway: str = ""
    """The host's address on it. Empty: the first of the subnet."""
    bridge_subnet_ipv6: Annotated[str, AfterValidator(_subnet6)] = ""
    """Empty: no IPv6."""
    bridge_gateway_ipv6: str = ""
    bridge_mtu: Annotated[int, Field(ge=_SMALLEST_MTU, le=65535)] = 1500
    bridge_isolation: bool = False
    """Whether its containers reach the host and the world, and not each other."""

    @field_validator("bridge_gateway", "bridge_gateway_ipv6")
    @classmethod
    def _inside(cls, gateway: str, known: ValidationInfo) -> str:
        assert known.field_name is not None
        subnet = known.data.get(known.field_name.replace("gateway", "subnet"), "")
        if not gateway:
            return gateway
        if not subnet:
            raise ValueError("needs a subnet to be in")
        address, network = ipaddress.ip_address(gateway), ipaddress.ip_network(subnet)
        ends = (network.network_address, network.broadcast_address)
        if address not in network or address in ends:
            raise ValueError(f"must be an address of a host in {subnet}")
        return str(address)
