"""Networks as they are asked for, and interfaces as they came to be. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from moored.model.ports import PortMapping

if TYPE_CHECKING:
    from moored.model.spec import Spec

NONE: Final = "none"
HOST: Final = "host"
BRIDGE: Final = "bridge"
SHARED: Final = "container:"
"""What the name of another container's network begins with."""
HOST_GATEWAY: Final = "host-gateway"
"""Stands for the host's address among the extra hosts."""


@dataclass(frozen=True)
class Bandwidth:
    """Bits per second, and bits at once, as seen from the container; 0 for no limit."""

    ingress_rate: int = 0
    ingress_burst: int = 0
    egress_rate: int = 0
    egress_burst: int = 0


@dataclass(frozen=True)
class Attachment:
    """An interface that was asked for."""

    name: str
    addresses: tuple[str, ...] = ()
    mac_address: str = ""
    bandwidth: Bandwidth | None = None
    aliases: tuple[str, ...] = ()
    arguments: dict[str, str] = field(default_factory=dict)
    """What plugins are told as CNI_ARGS."""
    ports: tuple[PortMapping, ...] = ()
    """What the container publishes, in the first of its attachments."""


@dataclass(frozen=True)
class Dns:
    servers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Attached:
    """An interface of a run: as it was planned, and once the run has begun as it is."""

    network: str
    interface: str
    addresses: tuple[str, ...] = ()
    """With the length of the network's prefix."""
    gateways: tuple[str, ...] = ()
    mac_address: str = ""
    dns: Dns = Dns()
    """Whom to ask for names, where the network says so."""
    ports: tuple[PortMapping, ...] = ()
    """Those that are published by it, as they were chosen where none was named."""


def attachments(spec: Spec, mode: str) -> tuple[Attachment, ...]:
    """Return the interfaces that a container has, in order. ``mode`` is its resolved network."""
    if spec.networks:
        asked = spec.networks
    elif mode in (NONE, HOST) or mode.startswith(SHARED):
        return ()
    else:
        asked = (Attachment(mode),)
    return (replace(asked[0], ports=spec.ports), *asked[1:])


def names(spec: Spec) -> tuple[str, ...]:
    """Return what ``spec`` names, as far as it names anything."""
    if spec.networks:
        return tuple(asked.name for asked in spec.networks)
    return (spec.network,) if spec.network else ()
