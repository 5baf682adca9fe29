"""The house while no moored serves: what there is can be looked at, and let go.

Laws: nobody else comes in meanwhile; nothing is started, and nothing is written to the ledger; a
place that cannot be looked at is named.
"""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.trace import NoOpTracer

from moored import errors, premises
from moored.clock import SystemClock
from moored.containerd.locate import find
from moored.containerd.places import Places
from moored.containerd.values import Runtime
from moored.containerd.versions import server_version
from moored.directory import Directory
from moored.house.adapters import CALL_SHARE, Adapters
from moored.house.looks import Looks
from moored.house.networks import build_edge, build_networks
from moored.house.plugin_networks import plugin_networks
from moored.house.site import Site
from moored.house.streams import run_streams
from moored.owner import Owner
from moored.saga import Limits
from moored.storage.binds import Binds
from moored.storage.volumes import VolumeDirectories
from moored.telemetry.measures import Measures
from moored.verbs.admission import Runtimes
from moored.verbs.audit import Auditor
from moored.verbs.mounts import HostMounts
from moored.verbs.release import Releaser
from moored.verbs.run_cgroups import RunCgroups
from moored.volumes import Volumes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Sequence

    from moored.config import Settings
    from moored.ledger.changes import Change
    from moored.model.state import Snapshot
    from moored.verbs.audit import Look, Trace

_ANSWER_LIMIT: Final = 5.0
"""Seconds that containerd has to say that it is there."""


class Sealed:
    """The ledger of a moored that does not run: nothing is written to it."""

    async def commit(self, change: Change) -> None:
        raise errors.LedgerFailed(f"cannot write {type(change).__name__}: no moored serves")


@dataclass
class PartialLook:
    """A look that goes on without the places that do not answer."""

    missed: dict[str, str] = field(default_factory=dict)
    """What was not looked at, and why."""

    def at(self, name: str, look: Look) -> Look:
        async def seen() -> Iterable[Trace]:
            if name in self.missed:
                return ()
            try:
                return await look()
            except (errors.MooredError, OSError) as error:
                self.missed[name] = str(error)
                return ()

        return seen


@dataclass(frozen=True, kw_only=True)
class Offline:
    adapters: Adapters
    auditor: Auditor
    looks: Sequence[Look]
    partial: PartialLook
    volumes: VolumeDirectories
    silent: str
    """Why containerd cannot be asked; empty: it can."""


@contextmanager
def alone(settings: Settings, address: str, *, instead: str) -> Iterator[None]:
    """Keep every moored of this root and instance away. ``instead``: what to do if one serves."""
    root = premises.RootLock(settings.root)
    instance = premises.InstanceLock(settings.instance, address)
    try:
        root.take()
        instance.take()
    except errors.SetupRefused as refusal:
        root.release()
        raise errors.SetupRefused(f"{refusal.message}; {instead}") from refusal
    try:
        yield
    finally:
        instance.release()
        root.release()


@asynccontextmanager
async def offline(
    settings: Settings, known: Sequence[Snapshot], address: str, places: Places | None
) -> AsyncIterator[Offline]:
    """Build what looks and lets go. ``places`` None: containerd may keep its files anywhere."""
    site = _site(settings, address, places)
    async with AsyncExitStack() as stack:
        adapters = Adapters.build(site)
        stack.push_async_callback(adapters.connection.close)
        silent = await _silence(adapters)
        directory, owner = Directory(known), Owner()
        limits = Limits(settings.step_timeout, settings.undo_timeout)
        cgroups = RunCgroups(settings.instance, directory)
        streams = run_streams(site, adapters, limits, cgroups)
        stack.push_async_callback(streams.close)
        edge = build_edge(settings, directory)
        stack.callback(edge.close)
        plugins = stack.enter_context(plugin_networks(settings, site.tracer))
        networks = build_networks(site, directory, edge, plugins)
        mounts = _mounts(site, directory, limits)
        seen = PartialLook()
        if silent:
            seen.missed |= dict.fromkeys(("tasks", "records", "layers"), silent)
        if places is None:
            seen.missed["bundles"] = f"it is not known where {address} keeps them"
        looks = [
            seen.at(look.__name__, look)
            for look in Looks(settings.instance, adapters, networks).all
        ]
        yield Offline(
            adapters=adapters,
            auditor=Auditor(
                directory=directory,
                releaser=Releaser(
                    adapters.holders(streams, mounts, cgroups),
                    more=networks.ways,
                    clock=site.clock,
                    limit=limits.undo,
                    measures=site.measures,
                    tracer=site.tracer,
                ),
                looks=looks,
                owner=owner,
                tracer=site.tracer,
            ),
            looks=looks,
            partial=seen,
            volumes=mounts.directories,
            silent=silent,
        )


async def located(settings: Settings) -> tuple[str, Places | None]:
    """Return the containerd that these settings mean, whether it runs or not."""
    if not settings.root.is_dir():
        raise errors.SetupRefused(f"cannot use root {str(settings.root)!r}: there is none")
    return await find(settings.containerd, settings.root, settings.state)


async def _silence(adapters: Adapters) -> str:
    try:
        await server_version(adapters.connection, within=_ANSWER_LIMIT)
    except errors.MooredError as error:
        return error.message
    return ""


def _site(settings: Settings, address: str, places: Places | None) -> Site:
    known = {name: Runtime(name=name, binary=binary) for name, binary in settings.runtimes.items()}
    return Site(
        settings=settings,
        address=address,
        places=places or Places(address, settings.root, settings.state),
        runtimes=Runtimes(known, settings.runtime, {}),
        tracer=NoOpTracer(),
        measures=Measures(NoOpMeterProvider().get_meter("moored")),
        clock=SystemClock(),
    )


def _mounts(site: Site, directory: Directory, limits: Limits) -> HostMounts:
    directories = VolumeDirectories(site.settings.root)
    volumes = Volumes(Sealed(), directories, containers=directory.all, now=site.clock.now)
    binds = Binds(lambda role: site.policies.allowed(role).bind_roots)
    return HostMounts(volumes, directories, binds, patience=CALL_SHARE * limits.undo)
