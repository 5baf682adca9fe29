"""Where to look for what bears this server's mark: one look a kind of resource.

A mark is the name of a run, which nobody else's things have, in a place of this instance's.
Addresses, ids and sandboxes have no look: what holds them is the record, and moored's own
descriptor. Volumes have none either: they are somebody's data, and never go by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from moored.containerd.values import LayerKind, Phase
from moored.model.identity import is_id, parse_run_id
from moored.model.resources import Kind
from moored.oci import cgroups
from moored.uninterrupted import in_thread
from moored.verbs.audit import Trace
from moored.verbs.run_cgroups import marked

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from moored.house.adapters import Adapters
    from moored.network.networks import Networks
    from moored.verbs.audit import Look

_INSTANCE = "moorage/instance"


@dataclass(frozen=True)
class Looks:
    instance: str
    adapters: Adapters
    networks: Networks

    @property
    def all(self) -> Sequence[Look]:
        return (
            self.tasks,
            self.records,
            self.layers,
            self.bundles,
            self.groups,
            self.files,
            self.links,
        )

    async def tasks(self) -> Iterable[Trace]:
        return [
            Trace(Kind.TASK, task.run, task.run, alive=task.phase is not Phase.STOPPED)
            for task in await self.adapters.tasks.list()
            if parse_run_id(task.run)
        ]

    async def records(self) -> Iterable[Trace]:
        return [
            Trace(Kind.CONTAINER, record.run, record.run)
            for record in await self.adapters.containers.list()
            if parse_run_id(record.run) and record.labels.get(_INSTANCE) == self.instance
        ]

    async def layers(self) -> Iterable[Trace]:
        ours = f'labels."{_INSTANCE}"=={self.instance}'
        return [
            Trace(Kind.LAYER, layer.name, layer.name)
            for layer in await self.adapters.layers.list([ours])
            if is_id(layer.name) and layer.kind is LayerKind.ACTIVE
        ]

    async def bundles(self) -> Iterable[Trace]:
        names = await self.adapters.bundles.list()
        return [Trace(Kind.BUNDLE, name, name) for name in names if parse_run_id(name)]

    async def groups(self) -> Iterable[Trace]:
        def found() -> list[Trace]:
            names = filter(parse_run_id, cgroups.below(f"/{self.instance}"))
            keys = {name: f"/{self.instance}/{name}" for name in names} | marked(self.instance)
            return [
                Trace(Kind.CGROUP, key, name, alive=bool(cgroups.alive(key)))
                for name, key in keys.items()
            ]

        return await in_thread(found)

    async def links(self) -> Iterable[Trace]:
        return [Trace(left.kind, left.key, left.run) for left in await self.networks.left()]

    async def files(self) -> Iterable[Trace]:
        """What lies in our own directories."""
        adapters = self.adapters

        def found() -> list[Trace]:
            output = adapters.output
            kept = [(c, run) for c in output.containers() for run in output.runs(c)]
            return [
                *(Trace(Kind.FILES, run, run) for run in adapters.generated.list()),
                *(Trace(Kind.SECRETS, run, run) for run in adapters.secrets.list()),
                *(Trace(Kind.IDMAPS, run, run) for run in adapters.idmapped.list()),
                *(Trace(Kind.SHM, run, run) for run in adapters.shared_memory.list()),
                *(Trace(Kind.STREAMS, run, run) for run in adapters.channels.list()),
                *(Trace(Kind.OUTPUT, f"{c}/{run}", f"{c}.{run}") for c, run in kept),
            ]

        return await in_thread(found)
