"""Networks as they go on the wire: what was asked, and the interfaces that a run has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moorage.v1 import container_pb2 as wire
from moorage.v1 import container_service_pb2 as service
from moored.api import port_pictures
from moored.model.state import Frozen, Running, Stopping
from moored.network import counters
from moored.oci import processes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moored.model.network import Attached, Attachment, Bandwidth, Dns
    from moored.model.state import Snapshot
    from moored.network.counters import Traffic
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


def count(shown: wire.Container, snapshot: Snapshot) -> None:
    """Add to a picture what went through its interfaces, where its process is still the same."""
    state = snapshot.state
    if not isinstance(state, Running | Frozen | Stopping):
        return
    traffic = counters.of_process(state.pid)
    found = processes.identity(state.pid)
    if found is None or found.start_ticks != state.ticks:
        return
    for network in shown.status.networks:
        if (counted := traffic.get(network.interface)) is not None:
            network.statistics.CopyFrom(_statistics(counted))


def _statistics(counted: Traffic) -> wire.InterfaceStatistics:
    received, sent = counted.received, counted.sent
    return wire.InterfaceStatistics(
        received_bytes=received.bytes,
        received_packets=received.packets,
        received_errors=received.errors,
        received_dropped=received.dropped,
        sent_bytes=sent.bytes,
        sent_packets=sent.packets,
        sent_errors=sent.errors,
        sent_dropped=sent.dropped,
    )
