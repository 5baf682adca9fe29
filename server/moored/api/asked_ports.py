"""Published ports as a caller asked for them, from the wire into the model's values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from moorage.v1 import container_pb2 as wire
from moored import errors
from moored.errors import Violation
from moored.model.ports import PortMapping, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

PROTOCOLS: Final[dict[int, Protocol]] = {
    wire.PORT_PROTOCOL_UNSPECIFIED: Protocol.TCP,
    wire.PORT_PROTOCOL_TCP: Protocol.TCP,
    wire.PORT_PROTOCOL_UDP: Protocol.UDP,
    wire.PORT_PROTOCOL_SCTP: Protocol.SCTP,
}


def ports(messages: Iterable[wire.PortMapping]) -> tuple[PortMapping, ...]:
    return tuple(_port(message, number) for number, message in enumerate(messages))


def _port(message: wire.PortMapping, number: int) -> PortMapping:
    protocol = PROTOCOLS.get(message.protocol)
    if protocol is None:
        field = f"spec.ports[{number}].protocol"
        raise errors.NotServed(
            f"cannot serve {field}: {message.protocol} is not known here",
            Violation(field, "is not known here"),
        )
    return PortMapping(
        container_port=message.container_port,
        host_port=message.host_port,
        protocol=protocol,
        host_ip=message.host_ip,
        count=message.count,
    )
