"""Inspect: the record as it is published, and what a request asks for beside it.

Law: what nobody asked for is not looked at, so that Inspect without a wish waits for nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from moorage.v1 import container_service_pb2 as wire
from moored.api import asked, network_pictures, pictures

if TYPE_CHECKING:
    from moored.api.pictures import Pictures
    from moored.containerd.values import Usage
    from moored.directory import Directory
    from moored.network.networks import Networks


class Layers(Protocol):
    async def usage(self, key: str) -> Usage | None: ...


@dataclass(frozen=True)
class InspectDesk:
    directory: Directory
    pictures: Pictures
    networks: Networks
    layers: Layers

    async def inspect(self, request: wire.InspectRequest) -> bytes:
        """Return an answer, serialised: one message's bytes go on where another's end."""
        view = self.directory.peek(asked.required(request, "container"))
        answer = self.pictures.field(view)
        if request.network_statistics:
            shown = pictures.container(view.snapshot, view.stage)
            network_pictures.count(shown, view.snapshot)
            answer = wire.InspectResponse(container=shown).SerializeToString()
        if request.network_check:
            faults = network_pictures.faults(await self.networks.check(view.snapshot))
            answer += faults.SerializeToString()
        if request.size:
            answer += (await self._usage(view.snapshot.id)).SerializeToString()
        return answer

    async def _usage(self, layer: str) -> wire.InspectResponse:
        usage = await self.layers.usage(layer)
        if usage is None:
            return wire.InspectResponse()
        shown = wire.LayerUsage(bytes=usage.bytes, inodes=usage.inodes)
        return wire.InspectResponse(layer_usage=shown)
