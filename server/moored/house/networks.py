"""The networks of this server, with what they need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moored.network.bridge import Bridge
from moored.network.layout import Layout
from moored.network.networks import Networks
from moored.network.sandboxes import Sandboxes

if TYPE_CHECKING:
    from moored.config import Settings
    from moored.directory import Directory
    from moored.network.cni.attacher import PluginNetworks


def build_networks(settings: Settings, directory: Directory, plugins: PluginNetworks) -> Networks:
    layout = Layout.of(settings.instance, settings)
    return Networks(
        attachers=(Bridge(layout, directory.holdings), plugins),
        sandboxes=Sandboxes(),
        default=settings.network,
    )
