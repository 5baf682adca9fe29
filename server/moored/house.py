"""Every part of the daemon that has to do with containers, built once and tied together.

Knows which part needs which, and nothing of gRPC servers, signals or sockets.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from moored.containerd.bundles import Bundles
from moored.containerd.connection import CALL_LIMIT, Connection
from moored.containerd.containers import Containers
from moored.containerd.events import Events
from moored.containerd.images import Images
from moored.containerd.layers import Layers
from moored.containerd.leases import Leases
from moored.containerd.tasks import Tasks
from moored.keepers.aliveness import Aliveness
from moored.keepers.exits import Exits
from moored.keepers.pauses import Pauses
from moored.keepers.recovery import Recovery
from moored.keepers.sweep import Sweep
from moored.ledger.store import Ledger
from moored.model.identity import ContainerId
from moored.oci import processes, runtime_spec
from moored.oci.host import Host
from moored.owner import Owner
from moored.registry import Registry
from moored.saga import Limits
from moored.storage.files import GeneratedFiles
from moored.streams.follow import Hub
from moored.streams.output import Output
from moored.verbs.admission import Admission
from moored.verbs.bring_up import BringUp
from moored.verbs.cleanup import Cleaner
from moored.verbs.create import Creator
from moored.verbs.gate import Gate
from moored.verbs.holders import HostFiles, HostHolders
from moored.verbs.release import Releaser
from moored.verbs.start import Starter
from moored.verbs.stop import Stopper
from moored.verbs.wait import Waiter

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from opentelemetry.trace import Tracer

    from moored.config import Settings
    from moored.containerd.places import Places
    from moored.saga import Clock
    from moored.verbs.admission import Runtimes

_SHARE: Final = 0.8
"""How much of a step's time a call to containerd may take."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """What the house stands on."""

    settings: Settings
    address: str
    """Of containerd's socket."""
    places: Places
    runtimes: Runtimes
    tracer: Tracer
    clock: Clock


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

    @classmethod
    def build(cls, site: Site) -> Adapters:
        settings = site.settings
        # A call's own limit comes first, since it knows more to say than the step's.
        call_limit = min(CALL_LIMIT, _SHARE * settings.step_timeout)
        connection = Connection(site.address, namespace=settings.instance, call_limit=call_limit)
        layers = Layers(connection)
        return cls(
            connection=connection,
            tasks=Tasks(connection),
            containers=Containers(connection),
            layers=layers,
            images=Images(connection, layers, Leases(connection), spool=settings.root),
            events=Events(connection),
            bundles=Bundles(site.places, namespace=settings.instance),
            generated=GeneratedFiles(settings.state),
            output=Output(settings.root),
        )

    @property
    def holders(self) -> HostHolders:
        return HostHolders(
            tasks=self.tasks,
            containers=self.containers,
            layers=self.layers,
            bundles=self.bundles,
            generated=self.generated,
            output=self.output,
        )


@dataclass(frozen=True, kw_only=True)
class Keepers:
    exits: Exits
    recovery: Recovery
    sweep: Sweep
    pauses: Pauses


@dataclass(frozen=True, kw_only=True)
class House:
    registry: Registry
    adapters: Adapters
    hub: Hub
    owner: Owner
    creator: Creator
    starter: Starter
    stopper: Stopper
    waiter: Waiter
    cleaner: Cleaner
    keepers: Keepers

    @classmethod
    async def build(cls, site: Site, stack: AsyncExitStack) -> House:
        """Read the ledger and build all. ``stack`` takes it down again, last first."""
        settings = site.settings
        ledger = await Ledger.open(
            settings.root / "ledger.db",
            boot_id=processes.boot_id(),
            keep_events=settings.event_retention,
        )
        stack.push_async_callback(ledger.close)
        known, revision = await ledger.load()
        registry = Registry(ledger, now=site.clock.now, known=known, revision=revision)
        adapters = Adapters.build(site)
        stack.push_async_callback(adapters.connection.close)
        hub = Hub(adapters.output)
        hub.start()
        stack.push_async_callback(hub.close)
        limits = Limits(settings.step_timeout, settings.undo_timeout)
        releaser = Releaser(adapters.holders, clock=site.clock, limit=limits.undo)
        keepers = _keepers(site, registry, adapters, releaser, hub, rebooted=ledger.rebooted)
        stack.push_async_callback(keepers.exits.close)
        owner = Owner()
        creator = Creator(registry, _admission(site, adapters), site.clock, _new_id)
        stopper = Stopper(
            registry=registry,
            tasks=adapters.tasks,
            owner=owner,
            tracer=site.tracer,
            clock=site.clock,
            kill_limit=limits.undo,
        )
        return cls(
            registry=registry,
            adapters=adapters,
            hub=hub,
            owner=owner,
            creator=creator,
            starter=Starter(
                registry=registry,
                creator=creator,
                bring_up=_bring_up(site, adapters, keepers.exits),
                releaser=releaser,
                gate=_gate(settings),
                owner=owner,
                tracer=site.tracer,
                clock=site.clock,
                limits=limits,
            ),
            stopper=stopper,
            waiter=Waiter(registry),
            cleaner=Cleaner(
                registry=registry,
                stopper=stopper,
                releaser=releaser,
                owner=owner,
                tracer=site.tracer,
                clock=site.clock,
            ),
            keepers=keepers,
        )


def _admission(site: Site, adapters: Adapters) -> Admission:
    return Admission(
        images=adapters.images,
        runtimes=site.runtimes,
        host_problems=lambda spec: Host.look().verify(spec),
        host_network_allowed=site.settings.allow_host_network,
    )


def _gate(settings: Settings) -> Gate:
    width = settings.concurrent_starts or 2 * (os.cpu_count() or 1)
    return Gate(width, patience=settings.start_queue_timeout)


def _bring_up(site: Site, adapters: Adapters, exits: Exits) -> BringUp:
    return BringUp(
        instance=site.settings.instance,
        tasks=adapters.tasks,
        containers=adapters.containers,
        layers=adapters.layers,
        files=HostFiles(adapters.generated, adapters.output, Host.look),
        watch=exits,
        runtimes=site.runtimes.by_name,
        build_spec=runtime_spec.build,
        process_ticks=_process_ticks,
        host=Host.look,
        clock=site.clock,
        task_limit=_SHARE * site.settings.step_timeout,
    )


def _keepers(
    site: Site,
    registry: Registry,
    adapters: Adapters,
    releaser: Releaser,
    hub: Hub,
    *,
    rebooted: bool,
) -> Keepers:
    clock, tasks = site.clock, adapters.tasks
    aliveness = Aliveness(site.settings.instance)
    exits = Exits(
        registry=registry,
        tasks=tasks,
        releaser=releaser,
        aliveness=aliveness,
        clock=clock,
        output=hub,
    )
    return Keepers(
        exits=exits,
        recovery=Recovery(
            registry=registry,
            tasks=tasks,
            releaser=releaser,
            exits=exits,
            aliveness=aliveness,
            clock=clock,
            process_ticks=_process_ticks,
            rebooted=rebooted,
        ),
        sweep=Sweep(registry=registry, releaser=releaser, exits=exits, clock=clock),
        pauses=Pauses(registry=registry, tasks=tasks, events=adapters.events, clock=clock),
    )


def _new_id() -> ContainerId:
    return ContainerId(secrets.token_hex(16))


def _process_ticks(pid: int) -> int:
    found = processes.identity(pid)
    return found.start_ticks if found else 0
