"""The steps of a start, in order: from a recorded wish to a running process.

Everything it acquires was put on record before. Each step names what it acquires, so that
the saga can release it again, last first.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from moored import errors
from moored.containerd.values import ContainerRecord
from moored.model import sharing
from moored.model.events import Started
from moored.model.identity import RunId, run_id
from moored.model.mount_events import mounted as volumes_mounted
from moored.model.network import attachments
from moored.model.resources import Kind, Resource
from moored.model.state import Running
from moored.network.networks import PLANNED_SANDBOX, Plan
from moored.oci.runtime_spec import SpecRequest
from moored.uninterrupted import in_thread, uninterrupted
from moored.verbs.furnishing import Furnished
from moored.verbs.joining import NOTHING
from moored.verbs.look import planned
from moored.verbs.mounts import Mounted
from moored.verbs.needed import Prepared
from moored.verbs.steps import acquired

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from moored.containerd.values import Mount, Runtime
    from moored.model.identity import ContainerId
    from moored.model.network import Attached
    from moored.model.spec import Spec
    from moored.model.state import Snapshot
    from moored.model.users import Identity
    from moored.network.sandboxes import Sandbox
    from moored.oci.host import Host
    from moored.oci.lending import Lent
    from moored.registry import Claim
    from moored.saga import Clock, Saga
    from moored.verbs.furnishing import Furnisher
    from moored.verbs.joining import Joined, Joiner
    from moored.verbs.mounts import Mounts
    from moored.verbs.needed import Containers, Files, Layers, Networks, RunFiles, Tasks, Watch


@dataclass(frozen=True, kw_only=True)
class BringUp:
    instance: str
    tasks: Tasks
    containers: Containers
    layers: Layers
    files: Files
    joiner: Joiner
    furnisher: Furnisher
    mounts: Mounts
    networks: Networks
    watch: Watch
    runtimes: Mapping[str, Runtime]
    look: Callable[[Snapshot, Sequence[Mount]], Identity]
    """Who the process is; refuses what certainly cannot run."""
    build_spec: Callable[[SpecRequest], bytes]
    process_ticks: Callable[[int], int]
    """When a process began, in clock ticks since the boot: with its pid, its identity."""
    host: Callable[[], Host]
    lend: Callable[[Spec], Lent]
    """What of the host's a spec names."""
    clock: Clock
    task_limit: float
    """Seconds that creating or starting a task may take: less than its step may."""

    @contextmanager
    def reserved(self, snapshot: Snapshot, run: int) -> Iterator[Plan]:
        """Reserve what only one run can have, until its record names all that it may acquire."""
        with self.networks.reserved(snapshot, run) as network:
            own = self._own_resources(snapshot, run)
            yield Plan((*own, *network.resources), network.networks)

    def planned(self, snapshot: Snapshot, run: int) -> tuple[Resource, ...]:
        """Return all that a run would acquire. Nothing is reserved."""
        network = self.networks.planned(snapshot, run)
        return (*self._own_resources(snapshot, run), *network.resources)

    def _own_resources(self, snapshot: Snapshot, run: int) -> tuple[Resource, ...]:
        name = run_id(snapshot.id, run)
        layer = () if _layer(snapshot.resources) else (_new_layer(snapshot.id, run),)
        return (
            *layer,
            Resource(Kind.FILES, name, run),
            *self.furnisher.resources(snapshot, run),
            *self.mounts.resources(snapshot, run),
            Resource(Kind.OUTPUT, f"{snapshot.id}/{run}", run, kept=True),
            Resource(Kind.STREAMS, name, run),
            Resource(Kind.CONTAINER, name, run),
            Resource(Kind.CGROUP, self.cgroup(name), run),
            Resource(Kind.BUNDLE, name, run),
            Resource(Kind.TASK, name, run),
        )

    def cgroup(self, run: RunId) -> str:
        return f"/{self.instance}/{run}"

    def idle(self, snapshot: Snapshot) -> frozenset[str]:
        """Return the steps that have nothing to do for this container."""
        steps = {
            "join": sharing.joins(snapshot.spec),
            "mounts": self.furnisher.resources(snapshot, snapshot.run)
            or self.mounts.planned(snapshot),
            "compare": self.mounts.holds(snapshot),
            "network": attachments(snapshot.spec, snapshot.network),
            "attach": attachments(snapshot.spec, snapshot.network),
        }
        return frozenset(name for name, work in steps.items() if not work)

    def planned_spec(self, snapshot: Snapshot) -> bytes:
        """Return the runtime spec of the current run, before anything of it exists."""
        files = self.files.planned(snapshot, snapshot.run)
        prepared = Prepared(
            files,
            self.joiner.planned(snapshot),
            self.furnisher.planned(snapshot, snapshot.run),
            planned(snapshot.spec, snapshot.image),
            self.mounts.planned(snapshot),
            "" if "network" in self.idle(snapshot) else PLANNED_SANDBOX,
        )
        return self._spec(snapshot, run_id(snapshot.id, snapshot.run), prepared)

    async def bring_up(self, claim: Claim, saga: Saga, trace_id: str) -> None:
        snapshot = claim.snapshot
        run = run_id(snapshot.id, snapshot.run)
        runtime = self.runtimes[snapshot.runtime]
        async with AsyncExitStack() as held, saga:
            joined = await self._joined(snapshot, saga, held)
            mounted = held.enter_context(closing(Mounted()))
            layer: asyncio.Future[list[Mount]] = asyncio.get_running_loop().create_future()
            rootfs, files, furnished, sandbox = await saga.together(
                self._rootfs(snapshot, saga, layer),
                self._files(snapshot, saga, joined),
                self._mounts(snapshot, saga, joined, mounted, layer),
                self._open(snapshot, saga),
            )
            async with saga.step("spec"):
                who = await in_thread(partial(self.look, snapshot, rootfs))
                where = sandbox.path if sandbox else ""
                prepared = Prepared(files, joined, furnished, who, mounted.sourced, where)
                oci = self._spec(snapshot, run, prepared)
            async with saga.step("container", acquires=acquired("container", snapshot)):
                await self.containers.create(self._record(snapshot, run, runtime, oci))
            # The interfaces first: so their undo comes after that of the task which has them.
            networks, (pid, ticks) = await saga.together(
                self._attach(snapshot, saga, sandbox), self._task(snapshot, saga, rootfs, files)
            )
            if mounted.held:
                async with saga.step("compare"):
                    await self.mounts.compare(pid, mounted)
            async with saga.step(
                "watch", undo=partial(self.watch.unwatch, snapshot.id, snapshot.run)
            ):
                self.watch.watch(snapshot.id, snapshot.run)
            async with saga.step("run"):
                # Before the process can have ended: an exit is never earlier than its start.
                process = Process(pid, ticks, self.clock.now())
                await self.tasks.start(run, within=self.task_limit)
            async with saga.step("commit", limit=None):
                await self._commit(claim, saga, process, networks, trace_id)
        claim.retell(saga.timeline(snapshot.run, trace_id=trace_id))

    async def _rootfs(
        self, snapshot: Snapshot, saga: Saga, layer: asyncio.Future[list[Mount]]
    ) -> list[Mount]:
        """Have the writable layer, and let ``layer`` be how it is mounted."""
        acquires = acquired("rootfs", snapshot)
        async with saga.step("rootfs", acquires=acquires):
            if acquires:
                layer.set_result(await self._new_layer(snapshot, acquires[0].key))
            else:
                layer.set_result(await self._old_layer(snapshot))
        return layer.result()

    async def _new_layer(self, snapshot: Snapshot, key: str) -> list[Mount]:
        labels = {
            **self._labels(snapshot),
            # Or containerd's collector takes it before the container record names it.
            "containerd.io/gc.root": self.clock.now().isoformat(),
        }
        # A call that is cut short may still happen, after the undo that found nothing.
        return await uninterrupted(
            self.layers.prepare(key, parent=snapshot.image.layer, labels=labels)
        )

    async def _old_layer(self, snapshot: Snapshot) -> list[Mount]:
        mounts = await self.layers.mounts(snapshot.id)
        if mounts is None:
            raise errors.RuntimeRefused(
                f"cannot use layer {snapshot.id!r}: somebody removed it from containerd"
            )
        return mounts

    async def _files(self, snapshot: Snapshot, saga: Saga, joined: Joined) -> RunFiles:
        async with saga.step("files", acquires=acquired("files", snapshot)):
            return await in_thread(partial(self.files.write, snapshot, snapshot.run, joined))

    async def _joined(self, snapshot: Snapshot, saga: Saga, held: AsyncExitStack) -> Joined:
        """Hold what the spec joins until the task has it."""
        if "join" in self.idle(snapshot):
            return NOTHING
        async with saga.step("join"):
            return held.enter_context(self.joiner.joined(snapshot))

    async def _mounts(
        self,
        snapshot: Snapshot,
        saga: Saga,
        joined: Joined,
        mounted: Mounted,
        layer: asyncio.Future[list[Mount]],
    ) -> Furnished:
        if "mounts" in self.idle(snapshot):
            return Furnished()
        async with saga.step("mounts", acquires=acquired("mounts", snapshot)):
            await self.mounts.provide(snapshot, mounted, layer)
            return await self.furnisher.furnish(snapshot, snapshot.run, joined)

    async def _open(self, snapshot: Snapshot, saga: Saga) -> Sandbox | None:
        if "network" in self.idle(snapshot):
            return None
        acquires = acquired("network", snapshot)
        async with saga.step("network", acquires=acquires, late=errors.NetworkFailed):
            return await self.networks.open(snapshot)

    async def _attach(
        self, snapshot: Snapshot, saga: Saga, sandbox: Sandbox | None
    ) -> tuple[Attached, ...]:
        if sandbox is None:
            return ()
        acquires = acquired("attach", snapshot)
        async with saga.step("attach", acquires=acquires, late=errors.NetworkFailed):
            networks = await self.networks.attach(snapshot, sandbox)
            await in_thread(partial(self.files.introduce, snapshot, networks))
            return networks

    async def _task(
        self, snapshot: Snapshot, saga: Saga, rootfs: Sequence[Mount], files: RunFiles
    ) -> tuple[int, int]:
        """Create the task, and return the pid and the ticks of its process."""
        async with saga.step("task", acquires=acquired("task", snapshot)) as span:
            pid = await self.tasks.create(
                run_id(snapshot.id, snapshot.run),
                runtime=self.runtimes[snapshot.runtime],
                rootfs=rootfs,
                stdout=files.stdout,
                stderr=files.stderr,
                within=self.task_limit,
                stdin=files.stdin,
                terminal=snapshot.spec.tty,
            )
            span.set_attribute("process.pid", pid)
            return pid, self.process_ticks(pid)

    def _spec(self, snapshot: Snapshot, run: RunId, prepared: Prepared) -> bytes:
        try:
            return self.build_spec(
                SpecRequest(
                    container=snapshot.id,
                    run=run,
                    spec=snapshot.spec,
                    image=snapshot.image,
                    cgroup=self.cgroup(run),
                    files=prepared.files.mounts,
                    host=self.host(),
                    who=prepared.who,
                    namespaces=prepared.namespaces,
                    uts_owner=prepared.joined.uts_owner,
                    shared_memory=prepared.furnished.shared_memory,
                    mounts=prepared.mounts,
                    lent=self.lend(snapshot.spec),
                    secrets=prepared.furnished.secrets,
                )
            )
        except (ValueError, OSError) as error:
            raise errors.SpecFailed(f"cannot build runtime spec: {error}") from error

    def _record(
        self, snapshot: Snapshot, run: RunId, runtime: Runtime, oci: bytes
    ) -> ContainerRecord:
        return ContainerRecord(
            run=run,
            image=snapshot.image.name,
            layer=snapshot.id,
            spec=oci,
            runtime=runtime,
            labels={**self._labels(snapshot), "moorage/run": str(snapshot.run)},
        )

    def _labels(self, snapshot: Snapshot) -> dict[str, str]:
        return {
            "moorage/instance": self.instance,
            "moorage/container": snapshot.id,
            "moorage/name": snapshot.spec.name,
            "moorage/spec": str(snapshot.generation),
        }

    async def _commit(
        self,
        claim: Claim,
        saga: Saga,
        process: Process,
        networks: tuple[Attached, ...],
        trace_id: str,
    ) -> None:
        started = Started(
            pid=process.pid,
            ticks=process.ticks,
            at=process.began,
            timeline=saga.timeline(claim.snapshot.run, trace_id=trace_id),
            networks=networks,
        )
        try:
            await claim.apply(*volumes_mounted(claim.snapshot), started)
        finally:
            if isinstance(claim.snapshot.state, Running):
                saga.keep()


@dataclass(frozen=True)
class Process:
    pid: int
    ticks: int
    began: datetime


def _layer(resources: Sequence[Resource]) -> Resource | None:
    return next((r for r in resources if r.kind is Kind.LAYER), None)


def _new_layer(container: ContainerId, run: int) -> Resource:
    return Resource(Kind.LAYER, container, run, kept=True)
