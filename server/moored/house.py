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
from moored.feed import KEPT, Feed
from moored.keepers.aliveness import Aliveness
from moored.keepers.exits import Exits
from moored.keepers.hints import Hints
from moored.keepers.memory import Memory
from moored.keepers.pauses import Pauses
from moored.keepers.recovery import Recovery
from moored.keepers.restarts import Restarts, Timers
from moored.keepers.sweep import Sweep
from moored.ledger.store import Ledger
from moored.model.identity import ContainerId
from moored.oci import cgroups, processes, runtime_spec
from moored.oci.host import Host
from moored.owner import Owner
from moored.registry import Registry
from moored.requests import Requests
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
from moored.verbs.kill import Killer
from moored.verbs.pause import Pauser
from moored.verbs.plan import Planner
from moored.verbs.prune import Pruner
from moored.verbs.release import Releaser
from moored.verbs.rename import Renamer
from moored.verbs.restart import Restarter
from moored.verbs.start import Starter
from moored.verbs.stop import START_AGAIN, Stopper
from moored.verbs.turns import Turns
from moored.verbs.update import Updater
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
    hints: Hints
    restarts: Restarts


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What all verbs and keepers share."""

    site: Site
    registry: Registry
    feed: Feed
    requests: Requests
    adapters: Adapters
    hub: Hub
    owner: Owner
    releaser: Releaser
    limits: Limits
    timers: Timers
    memory: Memory
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
        feed = Feed(ledger, revision=revision, keep=min(KEPT, settings.event_retention))
        adapters = Adapters.build(site)
        stack.push_async_callback(adapters.connection.close)
        hub = Hub(adapters.output)
        hub.start()
        stack.push_async_callback(hub.close)
        limits = Limits(settings.step_timeout, settings.undo_timeout)
        registry = Registry(ledger, now=site.clock.now, feed=feed, known=known)
        owner = Owner()
        return cls(
            site=site,
            registry=registry,
            feed=feed,
            requests=Requests(ledger, owner=owner, now=site.clock.now, knows=registry.knows),
            adapters=adapters,
            hub=hub,
            owner=owner,
            releaser=Releaser(adapters.holders, clock=site.clock, limit=limits.undo),
            limits=limits,
            timers=Timers(clock=site.clock),
            memory=Memory(
                instance=settings.instance,
                registry=registry,
                owner=owner,
                count=cgroups.oom_kills,
                clock=site.clock,
            ),
            rebooted=ledger.rebooted,
        )


@dataclass(frozen=True, kw_only=True)
class House:
    registry: Registry
    feed: Feed
    requests: Requests
    adapters: Adapters
    hub: Hub
    owner: Owner
    creator: Creator
    planner: Planner
    starter: Starter
    stopper: Stopper
    restarter: Restarter
    killer: Killer
    pauser: Pauser
    renamer: Renamer
    updater: Updater
    waiter: Waiter
    cleaner: Cleaner
    pruner: Pruner
    keepers: Keepers

    @classmethod
    async def build(cls, site: Site, stack: AsyncExitStack) -> House:
        """Read the ledger and build all. ``stack`` takes it down again, last first."""
        ground = await Ground.build(site, stack)
        exits = _exits(ground)
        stack.push_async_callback(exits.close)
        creator = Creator(ground.registry, _admission(ground), site.clock, _new_id)
        stopper, turns = _stopper(ground), _turns(ground)
        starter = _starter(ground, creator, exits)
        restarter = _restarter(ground, stopper, starter)
        tasks, clock = ground.adapters.tasks, site.clock
        return cls(
            registry=ground.registry,
            feed=ground.feed,
            requests=ground.requests,
            adapters=ground.adapters,
            hub=ground.hub,
            owner=ground.owner,
            creator=creator,
            planner=Planner(ground.registry, creator, starter.bring_up),
            starter=starter,
            stopper=stopper,
            restarter=restarter,
            killer=Killer(turns=turns, tasks=tasks, clock=clock),
            pauser=Pauser(turns=turns, tasks=tasks, clock=clock),
            renamer=Renamer(turns),
            updater=Updater(turns),
            waiter=Waiter(ground.registry),
            cleaner=_cleaner(ground, stopper),
            pruner=_pruner(ground),
            keepers=_keepers(ground, exits, stopper, restarter),
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
        timers=ground.timers,
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


def _turns(ground: Ground) -> Turns:
    return Turns(
        registry=ground.registry,
        owner=ground.owner,
        tracer=ground.site.tracer,
        clock=ground.site.clock,
    )


def _restarter(ground: Ground, stopper: Stopper, starter: Starter) -> Restarter:
    return Restarter(
        registry=ground.registry,
        stopper=stopper,
        starter=starter,
        releaser=ground.releaser,
        owner=ground.owner,
        tracer=ground.site.tracer,
        clock=ground.site.clock,
    )


def _pruner(ground: Ground) -> Pruner:
    return Pruner(
        registry=ground.registry,
        releaser=ground.releaser,
        owner=ground.owner,
        tracer=ground.site.tracer,
        clock=ground.site.clock,
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
        memory=ground.memory,
        timers=ground.timers,
        clock=ground.site.clock,
        output=ground.hub,
    )


def _keepers(ground: Ground, exits: Exits, stopper: Stopper, restarter: Restarter) -> Keepers:
    registry, tasks = ground.registry, ground.adapters.tasks
    releaser, clock = ground.releaser, ground.site.clock

    def go_on_stopping(container: ContainerId) -> None:
        if registry.peek(container).snapshot.intent == START_AGAIN:
            ground.owner.keep(restarter.restart(container), f"restart {container}")
        else:
            ground.owner.keep(stopper.stop(container), f"stop {container}")

    restarts = _restarts(ground, restarter.starter)
    return Keepers(
        exits=exits,
        restarts=restarts,
        recovery=Recovery(
            registry=registry,
            tasks=tasks,
            releaser=releaser,
            exits=exits,
            restarts=restarts,
            aliveness=exits.aliveness,
            clock=clock,
            process_ticks=_process_ticks,
            go_on_stopping=go_on_stopping,
            rebooted=ground.rebooted,
        ),
        sweep=Sweep(
            registry=registry, releaser=releaser, exits=exits, restarts=restarts, clock=clock
        ),
        hints=_hints(ground),
    )


def _restarts(ground: Ground, starter: Starter) -> Restarts:
    return Restarts(
        registry=ground.registry,
        timers=ground.timers,
        starter=starter,
        owner=ground.owner,
        clock=ground.site.clock,
    )


def _hints(ground: Ground) -> Hints:
    tasks, clock = ground.adapters.tasks, ground.site.clock
    return Hints(
        tasks=tasks,
        events=ground.adapters.events,
        pauses=Pauses(registry=ground.registry, tasks=tasks, clock=clock),
        memory=ground.memory,
    )


def _new_id() -> ContainerId:
    return ContainerId(secrets.token_hex(16))


def _process_ticks(pid: int) -> int:
    found = processes.identity(pid)
    return found.start_ticks if found else 0
