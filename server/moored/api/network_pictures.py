"""Networks as they go on the wire: what was asked, and the interfaces that a run has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moorage.v1 import container_pb2 as wire
from moorage.v1 import container_service_pb2 as service
from moored.api import port_pictures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moored.model.network import Attached, Attachment, Bandwidth, Dns
    from moored.model.state import Snapshot
    from moored.network.networks import Fault


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


def faults(found: Sequence[Fault]) -> service.InspectResponse:
    """Return the part of an Inspect's answer that says what is wrong with interfaces."""
    return service.InspectResponse(
        network_faults=[
            service.NetworkFault(network=fault.network, interface=fault.interface, reason=fault.why)
            for fault in found
        ]
    )


def _network(attached: Attached) -> wire.NetworkStatus:
    return wire.NetworkStatus(
        name=attached.network,
        interface=attached.interface,
        addresses=attached.addresses,
        gateways=attached.gateways,
        mac_address=attached.mac_address,
        ports=[port_pictures.status(published) for published in attached.ports],
    )
