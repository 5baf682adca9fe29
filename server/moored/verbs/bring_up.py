"""The steps of a start, in order: from a recorded wish to a running process.

Everything it acquires was put on record before. Each step names what it acquires, so that
the saga can release it again, last first.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from moored import errors
from moored.containerd.values import ContainerRecord
from moored.ledger import marks
from moored.model import cgroup_places, id_maps
from moored.model.events import Started
from moored.model.identity import RunId, run_id
from moored.model.mount_events import mounted as volumes_mounted
from moored.model.resources import Kind, Resource
from moored.model.state import Running
from moored.network.networks import Plan
from moored.oci.runtime_spec import SpecRequest
from moored.uninterrupted import in_thread
from moored.verbs.id_mapping import refuse_unmapped
from moored.verbs.look import PLANNED_HOME, planned
from moored.verbs.mounts import Mounted
from moored.verbs.needed import Prepared
from moored.verbs.steps import acquired
from moored.verbs.surroundings import labels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from moored.containerd.values import Mount, Runtime
    from moored.model.network import Attached
    from moored.model.spec import Spec
    from moored.model.state import Snapshot
    from moored.model.users import Identity
    from moored.oci.host import Host
    from moored.oci.lending import Lent
    from moored.registry import Claim
    from moored.saga import Clock, Saga
    from moored.verbs.id_blocks import IdBlocks
    from moored.verbs.needed import Containers, RunFiles, Tasks, Watch
    from moored.verbs.surroundings import Surroundings


@dataclass(frozen=True, kw_only=True)
class BringUp:
    instance: str
    tasks: Tasks
    containers: Containers
    surroundings: Surroundings
    watch: Watch
    runtimes: Mapping[str, Runtime]
    look: Callable[[Snapshot, Sequence[Mount]], Identity]
    """Who the process is; refuses what certainly cannot run."""
    build_spec: Callable[[SpecRequest], bytes]
    process_ticks: Callable[[int], int]
    """When a process began, in clock ticks since the boot: with its pid, its identity."""
    host: Callable[[], Host]
    ids: IdBlocks
    lend: Callable[[Spec], Lent]
    """What of the host's a spec names."""
    clock: Clock
    task_limit: float
    """Seconds that creating or starting a task may take: less than its step may."""

    @contextmanager
    def reserved(self, snapshot: Snapshot, run: int) -> Iterator[Plan]:
        """Reserve what only one run can have, until its record names all that it may acquire."""
        with (
            self.surroundings.networks.reserved(snapshot, run) as network,
            self.ids.reserved(snapshot, run) as ids,
        ):
            own = self._own_resources(snapshot, run)
            yield Plan((*ids, *own, *network.resources), network.networks)

    def planned(self, snapshot: Snapshot, run: int) -> tuple[Resource, ...]:
        """Return all that a run would acquire. Nothing is reserved."""
        network = self.surroundings.networks.planned(snapshot, run)
        ids = self.ids.planned(snapshot, run)
        return (*ids, *self._own_resources(snapshot, run), *network.resources)

    def _own_resources(self, snapshot: Snapshot, run: int) -> tuple[Resource, ...]:
        name = run_id(snapshot.id, run)
        return (
            *self.surroundings.resources(snapshot, run),
            Resource(Kind.CONTAINER, name, run),
            Resource(Kind.CGROUP, self._cgroup(snapshot, name), run),
            Resource(Kind.BUNDLE, name, run),
            Resource(Kind.TASK, name, run),
        )

    def _cgroup(self, snapshot: Snapshot, run: RunId) -> str:
        return cgroup_places.place(self.instance, snapshot.spec.cgroup_parent, run)

    def planned_spec(self, snapshot: Snapshot) -> bytes:
        """Return the runtime spec of the current run, before anything of it exists."""
        known = planned(snapshot.spec, snapshot.image)
        who = replace(known, home=PLANNED_HOME) if known else None
        prepared = self.surroundings.planned_for(snapshot, who)
        ids = self.ids.planned(snapshot, snapshot.run)
        snapshot = replace(snapshot, resources=(*snapshot.resources, *ids))
        return self._spec(snapshot, run_id(snapshot.id, snapshot.run), prepared)

    async def bring_up(self, claim: Claim, saga: Saga, trace_id: str) -> None:
        snapshot = claim.snapshot
        run = run_id(snapshot.id, snapshot.run)
        runtime = self.runtimes[snapshot.runtime]
        async with AsyncExitStack() as held, saga:
            around = self.surroundings
            joined = await around.joined(snapshot, saga, held)
            mounted = held.enter_context(closing(Mounted()))
            layer: asyncio.Future[list[Mount]] = asyncio.get_running_loop().create_future()
            layers, files, furnished, sandbox = await saga.together(
                around.rootfs(snapshot, saga, layer),
                around.files(snapshot, saga, joined),
                around.mounts(snapshot, saga, joined, mounted, layer),
                around.network(snapshot, saga),
            )
            rootfs, sourced = await around.idmap(snapshot, saga, layers, mounted.sourced)
            async with saga.step("spec"):
                where = sandbox.path if sandbox else ""
                nobody = Prepared(files, joined, furnished, None, sourced, where)
                oci = await in_thread(partial(self._looked, snapshot, layers, nobody))
            async with saga.step("container", acquires=acquired("container", snapshot)):
                await self.containers.create(self._record(snapshot, run, runtime, oci))
            # The interfaces first: so their undo comes after that of the task which has them.
            made: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            networks, (pid, ticks) = await saga.together(
                around.attach(snapshot, saga, sandbox, made),
                self._task(snapshot, saga, rootfs, files, made),
            )
            if mounted.held:
                async with saga.step("compare"):
                    await around.places.compare(pid, mounted)
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

    def _looked(self, snapshot: Snapshot, rootfs: Sequence[Mount], nobody: Prepared) -> bytes:
        """Find out who the process is, and return the runtime spec. Blocks."""
        who = self.look(snapshot, rootfs)
        refuse_unmapped(who, id_maps.of(snapshot), "run its process")
        return self._spec(snapshot, run_id(snapshot.id, snapshot.run), replace(nobody, who=who))

    async def _task(
        self,
        snapshot: Snapshot,
        saga: Saga,
        rootfs: Sequence[Mount],
        files: RunFiles,
        made: asyncio.Future[int],
    ) -> tuple[int, int]:
        """Create the task, and return the pid and the ticks of its process."""
        maps = id_maps.of(snapshot)
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
                owner=maps.root if maps else (0, 0),
            )
            made.set_result(pid)
            if maps:
                await self.surroundings.mapper.let_go(snapshot)
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
                    cgroup=self._cgroup(snapshot, run),
                    files=prepared.files.mounts,
                    host=self.host(),
                    who=prepared.who,
                    namespaces=prepared.namespaces,
                    uts_owner=prepared.joined.uts_owner,
                    shared_memory=prepared.furnished.shared_memory,
                    mounts=prepared.mounts,
                    lent=self.lend(snapshot.spec),
                    secrets=prepared.furnished.secrets,
                    maps=id_maps.of(snapshot),
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
            labels={**labels(self.instance, snapshot), "moorage/run": str(snapshot.run)},
            mark=marks.write(snapshot),
        )

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
