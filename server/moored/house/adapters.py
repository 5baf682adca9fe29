"""What drives containerd, and keeps on the host what runs need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from moored.containerd.bundles import Bundles
from moored.containerd.connection import CALL_LIMIT, Connection
from moored.containerd.containers import Containers
from moored.containerd.events import Events
from moored.containerd.executions import Executions
from moored.containerd.images import Images
from moored.containerd.layers import Layers
from moored.containerd.leases import Leases
from moored.containerd.tasks import Tasks
from moored.model.output import Captures, LogDriver, Retention
from moored.storage.channels import Channels
from moored.storage.files import GeneratedFiles
from moored.storage.idmapped import IdmappedMounts
from moored.storage.secrets import SecretFiles
from moored.storage.shared_memory import SharedMemory
from moored.storage.vault import Vault
from moored.streams.output import Output
from moored.verbs.holders import HostHolders

if TYPE_CHECKING:
    from moored.house.site import Site
    from moored.verbs.mounts import HostMounts
    from moored.verbs.run_cgroups import RunCgroups
    from moored.verbs.run_streams import RunStreams

CALL_SHARE: Final = 0.8
"""How much of a step's time a call to containerd may take."""


@dataclass(frozen=True)
class Adapters:
    """What drives containerd, and keeps what runs need."""

    connection: Connection
    tasks: Tasks
    containers: Containers
    layers: Layers
    images: Images
    events: Events
    bundles: Bundles
    generated: GeneratedFiles
    output: Output
    captures: Captures
    shared_memory: SharedMemory
    executions: Executions
    channels: Channels
    secrets: SecretFiles
    idmapped: IdmappedMounts
    vault: Vault

    @classmethod
    def build(cls, site: Site) -> Adapters:
        settings = site.settings
        # A call's own limit comes first, since it knows more to say than the step's.
        call_limit = min(CALL_LIMIT, CALL_SHARE * settings.step_timeout)
        connection = Connection(
            site.address, namespace=settings.instance, call_limit=call_limit, tracer=site.tracer
        )
        layers = Layers(connection)
        tasks = Tasks(connection)
        return cls(
            connection=connection,
            tasks=tasks,
            containers=Containers(connection),
            layers=layers,
            images=Images(
                connection,
                layers,
                Leases(connection),
                spool=settings.root,
                most_unpacked=settings.largest_unpacked,
            ),
            events=Events(connection),
            bundles=Bundles(site.places, namespace=settings.instance),
            generated=GeneratedFiles(settings.state),
            output=Output(settings.root),
            captures=Captures(
                LogDriver(settings.output_driver),
                Retention(settings.output_max_size, settings.output_max_files),
            ),
            shared_memory=SharedMemory(settings.state, site.kernel),
            executions=Executions(connection, tasks.waits),
            channels=Channels(settings.state),
            secrets=SecretFiles(settings.state, site.kernel),
            idmapped=IdmappedMounts(settings.state, site.kernel),
            vault=Vault.at(settings.root),
        )

    def holders(self, streams: RunStreams, mounts: HostMounts, cgroups: RunCgroups) -> HostHolders:
        return HostHolders(
            tasks=self.tasks,
            containers=self.containers,
            layers=self.layers,
            bundles=self.bundles,
            generated=self.generated,
            output=self.output,
            shared_memory=self.shared_memory,
            streams=streams,
            mounts=mounts,
            cgroups=cgroups,
            secrets=self.secrets,
            idmapped=self.idmapped,
        )
