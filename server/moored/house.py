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
class Ground:
    """What all verbs and keepers share."""

    site: Site
    registry: Registry
    adapters: Adapters
    hub: Hub
    owner: Owner
    releaser: Releaser
    limits: Limits
    rebooted: bool

    @classmethod
    async def build(cls, site: Site, stack: AsyncExitStack) -> Ground:
        settings = site.settings
        ledger = await Ledger.open(
            settings.root / "ledger.db",
            boot_id=processes.boot_id(),
            keep_events=settings.event_retention,
        )
        stack.push_async_callback(ledger.close)
        known, revision = await ledger.load()
        adapters = Adapters.build(site)
        stack.push_async_callback(adapters.connection.close)
        hub = Hub(adapters.output)
        hub.start()
        stack.push_async_callback(hub.close)
        limits = Limits(settings.step_timeout, settings.undo_timeout)
        return cls(
            site=site,
            registry=Registry(ledger, now=site.clock.now, known=known, revision=revision),
            adapters=adapters,
            hub=hub,
            owner=Owner(),
            releaser=Releaser(adapters.holders, clock=site.clock, limit=limits.undo),
            limits=limits,
            rebooted=ledger.rebooted,
        )


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
        ground = await Ground.build(site, stack)
        exits = _exits(ground)
        stack.push_async_callback(exits.close)
        creator = Creator(ground.registry, _admission(ground), site.clock, _new_id)
        stopper = _stopper(ground)
        return cls(
            registry=ground.registry,
            adapters=ground.adapters,
            hub=ground.hub,
            owner=ground.owner,
            creator=creator,
            starter=_starter(ground, creator, exits),
            stopper=stopper,
            waiter=Waiter(ground.registry),
            cleaner=_cleaner(ground, stopper),
            keepers=_keepers(ground, exits, stopper),
        )


def _admission(ground: Ground) -> Admission:
    return Admission(
        images=ground.adapters.images,
        runtimes=ground.site.runtimes,
        host_problems=lambda spec: Host.look().verify(spec),
        host_network_allowed=ground.site.settings.allow_host_network,
    )


def _starter(ground: Ground, creator: Creator, exits: Exits) -> Starter:
    settings = ground.site.settings
    width = settings.concurrent_starts or 2 * (os.cpu_count() or 1)
    return Starter(
        registry=ground.registry,
        creator=creator,
        bring_up=_bring_up(ground, exits),
        releaser=ground.releaser,
        gate=Gate(width, patience=settings.start_queue_timeout),
        owner=ground.owner,
        tracer=ground.site.tracer,
        clock=ground.site.clock,
        limits=ground.limits,
    )


def _bring_up(ground: Ground, exits: Exits) -> BringUp:
    site, adapters = ground.site, ground.adapters
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
        task_limit=_SHARE * ground.limits.step,
    )


def _stopper(ground: Ground) -> Stopper:
    return Stopper(
        registry=ground.registry,
        tasks=ground.adapters.tasks,
        owner=ground.owner,
        tracer=ground.site.tracer,
        clock=ground.site.clock,
        kill_limit=ground.limits.undo,
    )


def _cleaner(ground: Ground, stopper: Stopper) -> Cleaner:
    return Cleaner(
        registry=ground.registry,
        stopper=stopper,
        releaser=ground.releaser,
        owner=ground.owner,
        tracer=ground.site.tracer,
        clock=ground.site.clock,
    )


def _exits(ground: Ground) -> Exits:
    return Exits(
        registry=ground.registry,
        tasks=ground.adapters.tasks,
        releaser=ground.releaser,
        aliveness=Aliveness(ground.site.settings.instance),
        clock=ground.site.clock,
        output=ground.hub,
    )


def _keepers(ground: Ground, exits: Exits, stopper: Stopper) -> Keepers:
    registry, tasks = ground.registry, ground.adapters.tasks
    releaser, clock = ground.releaser, ground.site.clock

    def go_on_stopping(container: ContainerId) -> None:
        ground.owner.keep(stopper.stop(container), f"stop {container}")

    return Keepers(
        exits=exits,
        recovery=Recovery(
            registry=registry,
            tasks=tasks,
            releaser=releaser,
            exits=exits,
            aliveness=exits.aliveness,
            clock=clock,
            process_ticks=_process_ticks,
            go_on_stopping=go_on_stopping,
            rebooted=ground.rebooted,
        ),
        sweep=Sweep(registry=registry, releaser=releaser, exits=exits, clock=clock),
        pauses=Pauses(registry=registry, tasks=tasks, events=ground.adapters.events, clock=clock),
    )


def _new_id() -> ContainerId:
    return ContainerId(secrets.token_hex(16))


def _process_ticks(pid: int) -> int:
    found = processes.identity(pid)
    return found.start_ticks if found else 0
