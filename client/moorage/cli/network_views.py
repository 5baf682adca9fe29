"""What people are shown of a container's networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from moorage.cli.texts import plain
from moorage.cli.times import size

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from moorage.cli.tables import Cell
    from moorage.v1 import container_pb2 as wire
    from moorage.v1.container_service_pb2 import NetworkFault


def asked(spec: wire.ContainerSpec) -> Iterator[tuple[str, Cell]]:
    """Yield what a spec says of networks and names, a row each."""
    if spec.network:
        yield "network", spec.network
    for attachment in spec.networks:
        fixed = (*attachment.addresses, attachment.mac_address)
        yield "network", " ".join(filter(None, (attachment.name, *fixed)))
    if spec.domain_name:
        yield "domain", spec.domain_name
    for label, values in (
        ("dns", spec.dns.servers),
        ("dns search", spec.dns.searches),
        ("dns options", spec.dns.options),
    ):
        if values:
            yield label, ", ".join(values)
    for line in spec.extra_hosts:
        yield "extra host", line


def interfaces(status: wire.ContainerStatus) -> Iterator[tuple[str, Cell]]:
    """Yield the interfaces that a container has, and what went through them where it is told."""
    for network in status.networks:
        if not network.interface:
            continue
        addresses = ", ".join(network.addresses)
        gateways = f" by {', '.join(network.gateways)}" if network.gateways else ""
        yield network.interface, f"{addresses}{gateways}, {network.mac_address} ({network.name})"
        if network.HasField("statistics"):
            yield "", _traffic(network.statistics)


def _traffic(counted: wire.InterfaceStatistics) -> str:
    received = _direction(
        counted.received_bytes,
        counted.received_packets,
        counted.received_errors,
        counted.received_dropped,
    )
    sent = _direction(
        counted.sent_bytes, counted.sent_packets, counted.sent_errors, counted.sent_dropped
    )
    return f"received {received}; sent {sent}"


def _direction(octets: int, packets: int, errors: int, dropped: int) -> str:
    trouble = f", {errors} errors, {dropped} dropped" if errors or dropped else ""
    return f"{size(octets)} in {packets} packets{trouble}"


def faults(found: Iterable[NetworkFault]) -> str:
    """Return a line for each interface that is not as its network made it."""
    return "".join(
        "\n" + click.style(f"{fault.interface} in {fault.network}: {plain(fault.reason)}", fg="red")
        for fault in found
    )
