"""Networks as they go on the wire: what was asked, and the interfaces that a run has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moorage.v1 import container_pb2 as wire

if TYPE_CHECKING:
    from moored.model.network import Attached, Attachment, Bandwidth, Dns
    from moored.model.state import Snapshot


def attachment(asked: Attachment) -> wire.NetworkAttachment:
    return wire.NetworkAttachment(
        name=asked.name,
        addresses=asked.addresses,
        mac_address=asked.mac_address,
        bandwidth=_bandwidth(asked.bandwidth) if asked.bandwidth else None,
        aliases=asked.aliases,
        cni_args=asked.arguments,
    )


def _bandwidth(asked: Bandwidth) -> wire.Bandwidth:
    return wire.Bandwidth(
        ingress_rate=asked.ingress_rate,
        ingress_burst=asked.ingress_burst,
        egress_rate=asked.egress_rate,
        egress_burst=asked.egress_burst,
    )


def dns(asked: Dns) -> wire.DnsConfig:
    return wire.DnsConfig(servers=asked.servers, searches=asked.searches, options=asked.options)


def networks(snapshot: Snapshot) -> list[wire.NetworkStatus]:
    """Return the networks of a container that has a process."""
    if not snapshot.networks:
        return [wire.NetworkStatus(name=snapshot.network)]
    return [_network(attached) for attached in snapshot.networks]


def _network(attached: Attached) -> wire.NetworkStatus:
    return wire.NetworkStatus(
        name=attached.network,
        interface=attached.interface,
        addresses=attached.addresses,
        gateways=attached.gateways,
        mac_address=attached.mac_address,
    )
