"""Published ports as they go on the wire: what was asked, and what came of it."""

from __future__ import annotations

from typing import Final

from moorage.v1 import container_pb2 as wire
from moored.model.ports import PortMapping, Protocol

_PROTOCOLS: Final = {
    Protocol.TCP: wire.PORT_PROTOCOL_TCP,
    Protocol.UDP: wire.PORT_PROTOCOL_UDP,
    Protocol.SCTP: wire.PORT_PROTOCOL_SCTP,
}


def mapping(asked: PortMapping) -> wire.PortMapping:
    return wire.PortMapping(
        container_port=asked.container_port,
        host_port=asked.host_port,
        protocol=_PROTOCOLS[asked.protocol],
        host_ip=asked.host_ip,
        count=asked.count,
    )


def status(published: PortMapping) -> wire.PortStatus:
    return wire.PortStatus(
        container_port=published.container_port,
        host_port=published.host_port,
        protocol=_PROTOCOLS[published.protocol],
        host_ip=published.host_ip,
        count=published.width,
    )
