"""Where what a run needs is kept on this host: how it is written, and how it is removed.

Ties the verbs' words to the rooms below them, and decides nothing.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moored.model import id_maps
from moored.model.identity import ContainerId, RunId, run_id
from moored.model.sharing import NETWORK
from moored.oci import cgroups, runtime_spec
from moored.verbs.joining import just_ended
from moored.verbs.needed import RunFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from moored.containerd.bundles import Bundles
    from moored.containerd.containers import Containers
    from moored.containerd.layers import Layers
    from moored.containerd.tasks import Tasks
    from moored.model.network import Attached
    from moored.model.output import Captures
    from moored.model.resources import Resource
    from moored.model.state import Snapshot
    from moored.network.naming import Naming
    from moored.oci.host import Host
    from moored.storage.channels import Channels
    from moored.storage.files import GeneratedFiles
    from moored.storage.idmapped import IdmappedMounts
    from moored.storage.secrets import SecretFiles
    from moored.storage.shared_memory import SharedMemory
    from moored.streams.output import Output, RunOutput
    from moored.verbs.joining import Joined
    from moored.verbs.mounts import HostMounts
    from moored.verbs.run_cgroups import RunCgroups
    from moored.verbs.run_streams import RunStreams


@dataclass(frozen=True)
class HostFiles:
    generated: GeneratedFiles
    output: Output
    host: Callable[[], Host]
    naming: Naming
    channels: Channels
    captures: Captures

    def write(self, snapshot: Snapshot, run: int, joined: Joined) -> RunFiles:
        output = self.output.create(snapshot.id, run)
        name = run_id(snapshot.id, run)
        maps = id_maps.of(snapshot)
        owner = maps.root if maps else (0, 0)
        mounts = self.generated.write(name, self._texts(snapshot, joined), owner)
        stdin = self.channels.open(name, stdin=snapshot.spec.stdin)
        return RunFiles(*self._ends(snapshot, output), mounts, str(stdin or ""))

    def introduce(self, snapshot: Snapshot, networks: Sequence[Attached]) -> None:
        """Complete the files of the current run, now that its addresses are known."""
        run = run_id(snapshot.id, snapshot.run)
        name = runtime_spec.hostname(snapshot.id, snapshot.spec, self.host())
        self.generated.rewrite(run, "hosts", self.naming.hosts(snapshot, name, networks))
        self.generated.rewrite(run, "resolv.conf", self.naming.resolv_conf(snapshot, networks))

    def _texts(self, snapshot: Snapshot, joined: Joined) -> Mapping[str, str]:
        """Return its files; where it shares a network, those of whom it shares with."""
        owner = joined.owners.get(NETWORK)
        if owner is None:
            name = runtime_spec.hostname(snapshot.id, snapshot.spec, self.host(), joined.uts_owner)
            return self.naming.files(snapshot, name)
        try:
            return self.generated.read(run_id(owner.id, owner.run))
        except FileNotFoundError as error:
            raise just_ended(owner, NETWORK) from error

    def planned(self, snapshot: Snapshot, run: int) -> RunFiles:
        """Return what ``write`` would, without writing."""
        output = self.output.paths(snapshot.id, run)
        mounts = self.generated.places(run_id(snapshot.id, run))
        return RunFiles(*self._ends(snapshot, output), mounts)

    def _ends(self, snapshot: Snapshot, output: RunOutput) -> tuple[str, str]:
        """Return where the two streams go: where nothing is kept the files stay empty."""
        if self.captures.keeps(snapshot.spec.log_config):
            return str(output.stdout), str(output.stderr)
        return os.devnull, os.devnull


@dataclass(frozen=True)
class HostHolders:
    tasks: Tasks
    containers: Containers
    layers: Layers
    bundles: Bundles
    generated: GeneratedFiles
    output: Output
    shared_memory: SharedMemory
    secrets: SecretFiles
    idmapped: IdmappedMounts
    streams: RunStreams
    mounts: HostMounts
    cgroups: RunCgroups

    async def end_streams(self, run: str) -> bool:
        return await self.streams.end_run(RunId(run))

    async def remove_container(self, run: str) -> bool:
        return await self.containers.delete(run)

    async def remove_layer(self, key: str) -> bool:
        return await self.layers.remove(key)

    async def remove_bundle(self, run: str, *, task_deleted: bool) -> bool:
        cgroup = await self.cgroups.find(RunId(run))
        return await self.bundles.remove(run, cgroup=cgroup, task_deleted=task_deleted)

    def remove_cgroup(self, path: str) -> bool:
        return cgroups.remove(path)

    def remove_shared_memory(self, run: str) -> bool:
        return self.shared_memory.remove(RunId(run))

    def remove_secrets(self, run: str) -> bool:
        return self.secrets.remove(RunId(run))

    def remove_idmaps(self, run: str) -> bool:
        return self.idmapped.remove(RunId(run))

    def remove_files(self, run: str) -> bool:
        return self.generated.remove(RunId(run))

    def remove_output(self, key: str) -> bool:
        container, _, run = key.partition("/")
        return self.output.remove_run(ContainerId(container), int(run))

    async def let_go_volume(self, resource: Resource, *, with_data: bool) -> bool:
        return await self.mounts.volumes.let_go(resource, with_data=with_data)

    async def let_go_source(self, resource: Resource) -> bool:
        return await self.mounts.let_go_source(resource)
