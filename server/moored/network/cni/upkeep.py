"""What is asked of a network as a whole: whether it is ready, and to forget what is gone.

Both came with version 1.1.0 of the specification. GC is for those who have their networks to
themselves: it makes plugins forget every attachment that is not on record here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from moored.network.cni import documents, versions
from moored.network.cni.attachments import Budget
from moored.network.cni.plugins import Call, PluginFailed
from moored.uninterrupted import in_thread

if TYPE_CHECKING:
    from moored.network.cni.configuration import NetworkList
    from moored.network.cni.plugins import Plugins
    from moored.network.cni.records import AttachmentId, Records


@dataclass(frozen=True, kw_only=True)
class Upkeep:
    records: Records
    plugins: Plugins
    limit: float
    """Seconds for all plugins of a network together."""

    async def status(self, network: NetworkList) -> None:
        """Raise PluginFailed if the network could not take a container now and says so."""
        version, budget = network.offered[-1], Budget.of(self.limit)
        if not versions.has_gc(version):
            return
        for plugin in network.plugins:
            document = documents.for_network(plugin, name=network.name, version=version)
            await self.plugins.call(Call("STATUS", plugin.type, {}, document, budget.left()))

    async def collect(self, network: NetworkList) -> list[PluginFailed]:
        """Have the plugins forget what is not attached any more; return which could not."""
        version, budget = network.offered[-1], Budget.of(self.limit)
        if network.disable_gc or not versions.has_gc(version):
            return []
        valid = await in_thread(partial(self._attached, network.name))
        failures = []
        for plugin in network.plugins:
            document = documents.for_collection(
                plugin, name=network.name, version=version, valid=valid
            )
            try:
                await self.plugins.call(Call("GC", plugin.type, {}, document, budget.left()))
            except PluginFailed as failure:
                failures.append(failure)
        return failures

    def _attached(self, network: str) -> list[AttachmentId]:
        return [
            id_
            for id_ in self.records.all()
            if (record := self.records.read(id_)) is not None and record.network.name == network
        ]
