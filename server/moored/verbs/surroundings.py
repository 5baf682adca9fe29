"""What stands around the process of a run: its layer, files, mounts, namespaces and networks.

Each is one step of a start. Those that have nothing to do for a container are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from moored import errors
from moored.ledger import marks
from moored.model import id_maps, sharing
from moored.model.identity import run_id
from moored.model.network import attachments
from moored.model.resources import Kind, Resource
from moored.network.networks import PLANNED_SANDBOX
from moored.uninterrupted import in_thread, uninterrupted
from moored.verbs.furnishing import Furnished
from moored.verbs.joining import NOTHING
from moored.verbs.needed import Prepared
from moored.verbs.steps import acquired

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence
    from contextlib import AsyncExitStack

    from moored.containerd.values import Mount
    from moored.model.network import Attached
    from moored.model.state import Snapshot
    from moored.model.users import Identity
    from moored.network.sandboxes import Sandbox
    from moored.oci.mounts import Sourced
    from moored.saga import Clock, Saga
    from moored.verbs.furnishing import Furnisher
    from moored.verbs.id_mapping import IdMapper
    from moored.verbs.joining import Joined, Joiner
    from moored.verbs.mounts import Mounted, Mounts
    from moored.verbs.needed import Files, Layers, Networks, RunFiles


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    instance: str
    layers: Layers
    writer: Files
    joiner: Joiner
    furnisher: Furnisher
    places: Mounts
    """Where something is mounted that the caller asked for."""
    networks: Networks
    mapper: IdMapper
    clock: Clock

    def resources(self, snapshot: Snapshot, run: int) -> tuple[Resource, ...]:
        """Return what a run may acquire beside its network."""
        name = run_id(snapshot.id, run)
        held = any(resource.kind is Kind.LAYER for resource in snapshot.resources)
        layer = () if held else (Resource(Kind.LAYER, snapshot.id, run, kept=True),)
        return (
            *layer,
            *self.mapper.resources(snapshot, run),
            Resource(Kind.FILES, name, run),
            *self.furnisher.resources(snapshot, run),
            *self.places.resources(snapshot, run),
            Resource(Kind.OUTPUT, f"{snapshot.id}/{run}", run, kept=True),
            Resource(Kind.STREAMS, name, run),
        )

    def idle(self, snapshot: Snapshot) -> frozenset[str]:
        """Return the steps that have nothing to do for this container."""
        networks = attachments(snapshot.spec, snapshot.network)
        mapped = id_maps.asks(snapshot.spec)
        steps = {
            "join": sharing.joins(snapshot.spec),
            "mounts": self._has_mounts(snapshot),
            "compare": self.places.holds(snapshot),
            "network": networks and not mapped,
            "idmap": mapped,
            "attach": networks,
        }
        return frozenset(name for name, work in steps.items() if not work)

    def planned_for(self, snapshot: Snapshot, who: Identity | None) -> Prepared:
        """Return what the current run would have around it, before anything of it exists."""
        has_network = _has_sandbox(snapshot)
        return Prepared(
            self.writer.planned(snapshot, snapshot.run),
            self.joiner.planned(snapshot),
            self.furnisher.planned(snapshot, snapshot.run),
            who,
            self.places.planned(snapshot),
            PLANNED_SANDBOX if has_network else "",
        )

    async def rootfs(
        self, snapshot: Snapshot, saga: Saga, layer: asyncio.Future[list[Mount]]
    ) -> list[Mount]:
        """Have the writable layer, and let ``layer`` be how it is mounted."""
        acquires = acquired("rootfs", snapshot)
        async with saga.step("rootfs", acquires=acquires):
            if any(resource.kind is Kind.LAYER for resource in acquires):
                layer.set_result(await self._new_layer(snapshot))
            else:
                layer.set_result(await self._old_layer(snapshot))
        return layer.result()

    async def _new_layer(self, snapshot: Snapshot) -> list[Mount]:
        told = {
            **labels(self.instance, snapshot),
            **marks.as_labels(marks.write(snapshot)),
            # Or containerd's collector takes it before the container record names it.
            "containerd.io/gc.root": self.clock.now().isoformat(),
        }
        # A call that is cut short may still happen, after the undo that found nothing.
        return await uninterrupted(
            self.layers.prepare(snapshot.id, parent=snapshot.image.layer, labels=told)
        )

    async def _old_layer(self, snapshot: Snapshot) -> list[Mount]:
        mounts = await self.layers.mounts(snapshot.id)
        if mounts is None:
            raise errors.RuntimeRefused(
                f"cannot use layer {snapshot.id!r}: somebody removed it from containerd"
            )
        return mounts

    async def files(self, snapshot: Snapshot, saga: Saga, joined: Joined) -> RunFiles:
        async with saga.step("files", acquires=acquired("files", snapshot)):
            return await in_thread(partial(self.writer.write, snapshot, snapshot.run, joined))

    async def joined(self, snapshot: Snapshot, saga: Saga, held: AsyncExitStack) -> Joined:
        """Hold what the spec joins until the task has it."""
        if not sharing.joins(snapshot.spec):
            return NOTHING
        async with saga.step("join"):
            return held.enter_context(self.joiner.joined(snapshot))

    async def mounts(
        self,
        snapshot: Snapshot,
        saga: Saga,
        joined: Joined,
        mounted: Mounted,
        layer: asyncio.Future[list[Mount]],
    ) -> Furnished:
        if not self._has_mounts(snapshot):
            return Furnished()
        async with saga.step("mounts", acquires=acquired("mounts", snapshot)):
            await self.places.provide(snapshot, mounted, layer)
            return await self.furnisher.furnish(snapshot, snapshot.run, joined)

    async def network(self, snapshot: Snapshot, saga: Saga) -> Sandbox | None:
        if not _has_sandbox(snapshot):
            return None
        acquires = acquired("network", snapshot)
        async with saga.step("network", acquires=acquires, late=errors.NetworkFailed):
            return await self.networks.open(snapshot)

    async def attach(
        self, snapshot: Snapshot, saga: Saga, sandbox: Sandbox | None, task: asyncio.Future[int]
    ) -> tuple[Attached, ...]:
        """Give the run its interfaces: in the sandbox, or where the process of the task will be."""
        if not attachments(snapshot.spec, snapshot.network):
            return ()
        acquires = acquired("attach", snapshot)
        if sandbox is None:
            acquires = (*acquired("network", snapshot), *acquires)
        async with saga.step("attach", acquires=acquires, late=errors.NetworkFailed):
            if sandbox is None:
                sandbox = await self.networks.adopt(snapshot, await task)
            networks = await self.networks.attach(snapshot, sandbox)
            await in_thread(partial(self.writer.introduce, snapshot, networks))
            return networks

    async def idmap(
        self,
        snapshot: Snapshot,
        saga: Saga,
        rootfs: Sequence[Mount],
        sourced: Sequence[Sourced],
    ) -> tuple[Sequence[Mount], Sequence[Sourced]]:
        """Have layers and volumes belong to the ids of the container's own, if it has such."""
        if not id_maps.asks(snapshot.spec):
            return rootfs, sourced
        async with saga.step("idmap", acquires=acquired("idmap", snapshot)):
            return await self.mapper.map(snapshot, rootfs, sourced)

    def _has_mounts(self, snapshot: Snapshot) -> bool:
        furnished = self.furnisher.resources(snapshot, snapshot.run)
        return bool(furnished or self.places.planned(snapshot))


def _has_sandbox(snapshot: Snapshot) -> bool:
    """Whether its network namespace is made here: within its user namespace only a runtime can."""
    wanted = attachments(snapshot.spec, snapshot.network)
    return bool(wanted) and not id_maps.asks(snapshot.spec)


def labels(instance: str, snapshot: Snapshot) -> dict[str, str]:
    """Return what containerd is told of whose a thing is."""
    return {
        "moorage/instance": instance,
        "moorage/container": snapshot.id,
        "moorage/name": snapshot.spec.name,
        "moorage/spec": str(snapshot.generation),
    }
