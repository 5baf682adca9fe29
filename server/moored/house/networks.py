"""The networks of this server, with what they need."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from moored.model.identity import run_id
from moored.model.network import BRIDGE
from moored.model.resources import Kind
from moored.network.bridge import Bridge
from moored.network.edge import Edge, Published
from moored.network.firewall_table import BridgeFacts
from moored.network.layout import Layout
from moored.network.netlink import Netlink
from moored.network.networks import Networks
from moored.network.publishing import Publishing, bare
from moored.network.sandboxes import Sandboxes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from moored.config import Settings
    from moored.directory import Directory
    from moored.house.site import Site
    from moored.model.identity import ContainerId
    from moored.model.state import Snapshot
    from moored.network.cni.attacher import PluginNetworks


_SHORT: Final = 12
"""Digits of an id where a container has no name."""


def build_edge(settings: Settings, directory: Directory) -> Edge:
    layout = Layout.of(settings.instance, settings)
    facts = BridgeFacts(layout.bridge, tuple(map(str, layout.subnets)), isolated=layout.isolated)

    def container_name(container: ContainerId) -> str:
        return directory.peek(container).snapshot.spec.name or container[:_SHORT]

    return Edge(settings.instance, facts, settings.firewall, container_name=container_name)


def is_on_record(snapshots: Iterable[Snapshot]) -> bool:
    """Whether a run has, or may have, had anything of the edge."""
    return any(r.kind is Kind.PORTS for snapshot in snapshots for r in snapshot.resources)


def behind_edge(snapshots: Iterable[Snapshot]) -> Iterator[Published]:
    """Yield what runs have had of the edge, as their records say."""
    for snapshot in snapshots:
        for attached in snapshot.networks:
            if attached.network == BRIDGE:
                run = run_id(snapshot.id, snapshot.run)
                yield Published(run, bare(attached), attached.ports)


def build_networks(
    site: Site, directory: Directory, edge: Edge, plugins: PluginNetworks
) -> Networks:
    settings = site.settings
    layout = Layout.of(settings.instance, settings)
    link = Bridge(layout, directory.holdings, partial(Netlink, site.failpoints))
    bridge = Publishing(link, edge, directory.holdings)
    return Networks(
        attachers=(bridge, plugins),
        sandboxes=Sandboxes(),
        default=settings.network,
    )
