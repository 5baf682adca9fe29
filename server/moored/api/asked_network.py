"""What a caller asked for of networks, from the wire into the model's values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moored.model.network import Attachment, Bandwidth, Dns

if TYPE_CHECKING:
    from moorage.v1 import container_pb2


def networks(message: container_pb2.ContainerSpec) -> tuple[Attachment, ...]:
    return tuple(
        Attachment(
            name=asked.name,
            addresses=tuple(asked.addresses),
            mac_address=asked.mac_address,
            bandwidth=_bandwidth(asked.bandwidth) if asked.HasField("bandwidth") else None,
            aliases=tuple(asked.aliases),
            arguments=dict(asked.cni_args),
        )
        for asked in message.networks
    )


def _bandwidth(message: container_pb2.Bandwidth) -> Bandwidth:
    return Bandwidth(
        ingress_rate=message.ingress_rate,
        ingress_burst=message.ingress_burst,
        egress_rate=message.egress_rate,
        egress_burst=message.egress_burst,
    )


def dns(message: container_pb2.DnsConfig) -> Dns:
    return Dns(
        servers=tuple(message.servers),
        searches=tuple(message.searches),
        options=tuple(message.options),
    )
