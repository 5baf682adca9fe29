"""What all verbs and keepers share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from moored.feed import KEPT, Feed
from moored.house.adapters import CALL_SHARE, Adapters
from moored.house.networks import behind_edge, build_edge, build_networks, is_on_record
from moored.house.plugin_networks import plugin_networks
from moored.house.streams import run_streams
from moored.keepers.memory import Memory
from moored.keepers.restarts import Timers
from moored.ledger.store import Ledger
from moored.oci import cgroups, processes
from moored.owner import Owner
from moored.registry import Registry
from moored.requests import Requests
from moored.saga import Limits
from moored.storage.binds import Binds
from moored.storage.volumes import VolumeDirectories
from moored.streams.follow import Hub
from moored.streams.rotation import Rotator
from moored.telemetry.background import background
from moored.telemetry.waits import Waits
from moored.verbs.id_blocks import IdBlocks
from moored.verbs.id_support import IdSupport
from moored.verbs.mounts import HostMounts
from moored.verbs.release import Releaser
from moored.verbs.run_cgroups import RunCgroups
from moored.volumes import Volumes

if TYPE_CHECKING:
    from contextlib import AbstractContextManager, AsyncExitStack

    from opentelemetry.trace import Span, Tracer

    from moored.house.site import Site
    from moored.model.identity import ContainerId
    from moored.model.output import Captures, Retention
    from moored.network.edge import Edge
    from moored.network.networks import Networks
    from moored.streams.output import Output
    from moored.verbs.run_streams import RunStreams


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
    networks: Networks
    edge: Edge
    releaser: Releaser
    limits: Limits
    mounts: HostMounts
    ids: IdBlocks
    id_support: IdSupport
    timers: Timers
    memory: Memory
    streams: RunStreams
    rebooted: bool

    @classmethod
    async def build(cls, site: Site, stack: AsyncExitStack) -> Ground:
        settings = site.settings
        ledger = await Ledger.open(
            settings.root / "ledger.db",
            boot_id=processes.boot_id(),
            keep_events=settings.event_retention,
            measures=site.measures,
            failpoints=site.failpoints,
        )
        stack.push_async_callback(ledger.close)
        known, revision = await ledger.load()
        feed = Feed(ledger, revision=revision, keep=min(KEPT, settings.event_retention))
        adapters = Adapters.build(site)
        stack.push_async_callback(adapters.connection.close)
        limits = Limits(settings.step_timeout, settings.undo_timeout)
        registry = Registry(
            ledger,
            now=site.clock.now,
            feed=feed,
            known=known,
            patience=settings.step_timeout,
            waiting=Waits(site.tracer, site.measures).waiting,
        )
        mounts = await _mounts(site, ledger, registry, limits)
        hub = Hub(
            adapters.output,
            retention=partial(_retention, adapters.captures, registry),
            rotator=Rotator(partial(_rotation, site.tracer, adapters.output, registry)),
        )
        hub.start()
        stack.push_async_callback(hub.close)
        owner = Owner()
        plugins = stack.enter_context(plugin_networks(settings, site.tracer))
        if settings.cni_gc:  # before there is any change: nothing may be attached meanwhile
            await plugins.collect()
        edge = build_edge(settings, registry)
        stack.callback(edge.close)
        if is_on_record(known):
            await edge.restore(() if ledger.rebooted else behind_edge(known))
        networks = build_networks(site, registry, edge, plugins)
        places = RunCgroups(settings.instance, registry)
        streams = run_streams(site, adapters, limits, places)
        stack.push_async_callback(streams.close)
        return cls(
            site=site,
            registry=registry,
            feed=feed,
            requests=Requests(ledger, owner=owner, now=site.clock.now, knows=registry.knows),
            adapters=adapters,
            hub=hub,
            owner=owner,
            networks=networks,
            edge=edge,
            releaser=Releaser(
                adapters.holders(streams, mounts, places),
                more=networks.ways,
                clock=site.clock,
                limit=limits.undo,
                measures=site.measures,
                tracer=site.tracer,
                failpoints=site.failpoints,
            ),
            limits=limits,
            mounts=mounts,
            ids=IdBlocks(settings.user_namespace_ids, registry.holdings),
            id_support=IdSupport(site.kernel, site.places, settings.instance),
            timers=Timers(clock=site.clock),
            memory=Memory(
                instance=settings.instance,
                registry=registry,
                owner=owner,
                count=cgroups.oom_kills,
                clock=site.clock,
            ),
            streams=streams,
            rebooted=ledger.rebooted,
        )


async def _mounts(site: Site, ledger: Ledger, registry: Registry, limits: Limits) -> HostMounts:
    directories = VolumeDirectories(site.settings.root)
    volumes = Volumes(
        ledger,
        directories,
        containers=registry.all,
        now=site.clock.now,
        known=await ledger.volumes(),
    )
    binds = Binds(lambda role: site.policies.allowed(role).bind_roots)
    return HostMounts(volumes, directories, binds, patience=CALL_SHARE * limits.undo)


def _retention(captures: Captures, registry: Registry, container: ContainerId) -> Retention | None:
    """Return how much is kept of each stream of a container."""
    if not registry.knows(container):
        return None
    return captures.retention(registry.peek(container).snapshot.spec.log_config)


def _rotation(
    tracer: Tracer, output: Output, registry: Registry, file: str
) -> AbstractContextManager[Span]:
    """Return the trace of what is done to a file of a run's output."""
    container, run = output.whose(file)
    start = None
    if registry.knows(container) and (now := registry.peek(container).snapshot).run == run:
        start = now.last_start
    return background(tracer, "rotate", container, run, start)


def process_ticks(pid: int) -> int:
    found = processes.identity(pid)
    return found.start_ticks if found else 0
