"""The gRPC server: our services, health, reflection, and where they listen."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

import grpc
from grpc_health.v1 import health_pb2
from grpc_health.v1.health import SERVICE_NAME as HEALTH
from grpc_health.v1.health import aio as health
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server
from grpc_reflection.v1alpha import reflection
from loguru import logger

from moorage.v1 import (
    container_service_pb2,
    exec_service_pb2,
    image_service_pb2,
    volume_service_pb2,
)
from moored import errors
from moored.api.attaching import AttachDesk
from moored.api.callers import Callers
from moored.api.changes import ChangesDesk
from moored.api.container_service import ContainerServicer
from moored.api.doors import Doors
from moored.api.draining import Draining
from moored.api.exec_service import ExecServicer
from moored.api.image_service import ImageServicer
from moored.api.inspecting import InspectDesk
from moored.api.listing import ListingDesk
from moored.api.logs import LogsDesk
from moored.api.pictures import Pictures
from moored.api.server_info import ServerInfo
from moored.api.serving import Desk
from moored.api.starting import StartingDesk
from moored.api.stats import StatsDesk
from moored.api.volume_service import VolumeServicer
from moored.api.watch import WatchDesk
from moored.model.policy import LOCAL
from moored.oci import confinement
from moored.oci.host import Host
from moored.wire_settings import channel_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moored.api.certificates import Certificates
    from moored.api.server_info import RuntimeFound
    from moored.containerd.locate import Located
    from moored.feed import Feed
    from moored.house.house import House
    from moored.house.site import Site
    from moored.keepers.pulse import Pulse
    from moored.registry import Registry
    from moored.verbs.run_streams import RunStreams

SERVICES: Final = (
    container_service_pb2.DESCRIPTOR.services_by_name["ContainerService"],
    exec_service_pb2.DESCRIPTOR.services_by_name["ExecService"],
    image_service_pb2.DESCRIPTOR.services_by_name["ImageService"],
    volume_service_pb2.DESCRIPTOR.services_by_name["VolumeService"],
)
RUNTIME_HEALTH: Final = "moorage.runtime"
"""The health service's name for: containerd answers."""
_LAST_CALLS: Final = 1.0
"""Seconds that calls which are cut short have to be told so."""
_SERVING: Final = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING: Final = health_pb2.HealthCheckResponse.NOT_SERVING


@dataclass(frozen=True)
class Server:
    _server: grpc.aio.Server
    _health: health.HealthServicer
    _draining: Draining
    _feed: Feed
    _streams: RunStreams
    _doors: Doors = field(default_factory=Doors)

    @classmethod
    def build(
        cls,
        site: Site,
        house: House,
        *,
        located: Located,
        runtimes: Sequence[RuntimeFound],
        pulse: Pulse,
    ) -> Server:
        host = Host.look()
        info = ServerInfo(
            instance=site.settings.instance,
            containerd=located,
            reachable=lambda: pulse.reachable,
            runtimes=runtimes,
            cgroup_mode=host.cgroup_mode,
            seccomp=host.seccomp,
            apparmor=confinement.apparmor(host),
            host_network_allowed=site.policies.allowed(LOCAL).host_network,
            networks=lambda: house.networks.names,
            services=SERVICES,
            started=site.clock.now(),
        )
        images = ImageServicer(
            house.adapters.images,
            names_in_use=partial(_users, house.registry),
            import_limit=site.settings.largest_import,
        )
        callers = Callers(lambda: site.policies.policy)
        servicers = {
            "ContainerService": _containers(site, house, info, callers),
            "ExecService": ExecServicer(
                directory=house.registry, executor=house.verbs.executor, callers=callers
            ),
            "ImageService": images,
            "VolumeService": VolumeServicer(house.verbs.volumes.volumes, house.verbs.volumes),
        }
        draining = Draining()
        mark = house.adapters.vault.mark
        desk = Desk(site.tracer, draining, house.requests, site.measures, mark, callers)
        server = grpc.aio.server(
            options=(
                ("grpc.so_reuseport", 0),
                *channel_options(site.settings),
            )
        )
        server.add_generic_rpc_handlers(
            tuple(desk.handlers(service, servicers[service.name]) for service in SERVICES)
        )
        shown = [_show_channels(server, desk)] if site.settings.channelz else []
        checks = health.HealthServicer()
        add_HealthServicer_to_server(checks, server)
        names = [service.full_name for service in SERVICES]
        reflection.enable_server_reflection(
            [*names, *shown, HEALTH, reflection.SERVICE_NAME], server
        )
        server.add_generic_rpc_handlers((desk.strangers(),))
        built = cls(server, checks, draining, house.feed, house.streams)
        pulse.changed = built.tell_runtime
        return built

    def bind(self, addresses: Sequence[str], certificates: Certificates | None = None) -> list[int]:
        """Listen on each, and return the ports. ``certificates`` are for those with TLS."""
        return [self._listen(address, certificates) for address in addresses]

    def _listen(self, address: str, certificates: Certificates | None) -> int:
        scheme, _, place = address.partition("://")
        # gRPC writes unix:/path, and host:port without a scheme.
        target = f"unix:{place}" if scheme == "unix" else place
        try:
            if scheme != "tls":
                port = self._server.add_insecure_port(target)
            elif certificates is None:
                raise errors.SetupRefused(f"cannot listen on {address!r}: no certificates")
            else:
                port = self._server.add_secure_port(target, certificates.credentials())
        except RuntimeError as error:
            raise errors.SetupRefused(
                f"cannot listen on {address!r}: it is in use, or not this host's"
            ) from error
        self._doors.add(target.removeprefix("unix:") if port <= 1 else port)
        logger.info("listening on {}", address if port <= 1 else f"{address} (port {port})")
        return port

    async def start(self) -> None:
        await self._server.start()
        await self._tell(_SERVING)
        await self.tell_runtime(reachable=True)

    async def refuse_changes(self) -> None:
        """Say NOT_SERVING and refuse what would begin something; reads go on."""
        self._draining.on = True
        await self._tell(_NOT_SERVING)

    async def changes(self, within: float) -> None:
        """Wait for the calls that change something, once no more of them are let in."""
        await self._draining.changes(within)

    async def stop(self) -> None:
        """End every call, each with a status, and then the connections."""
        self._draining.on = True
        self._feed.close()
        await self._streams.close()
        if left := await self._draining.cut_short(_LAST_CALLS):
            logger.warning("{} calls took no answer in time", left)
        self._doors.close()
        await self._server.stop(grace=None)

    async def tell_runtime(self, *, reachable: bool) -> None:
        await self._health.set(RUNTIME_HEALTH, _SERVING if reachable else _NOT_SERVING)

    async def _tell(self, status: int) -> None:
        for name in ("", *(service.full_name for service in SERVICES)):
            await self._health.set(name, status)


def _show_channels(server: grpc.aio.Server, desk: Desk) -> str:
    """Let ``server`` tell of its own connections, and return the name of the service that does."""
    from grpc_channelz.v1 import _async, channelz_pb2  # for those who ask for it

    service = channelz_pb2.DESCRIPTOR.services_by_name["Channelz"]
    server.add_generic_rpc_handlers((desk.handlers(service, _async.ChannelzServicer()),))
    return str(service.full_name)


def _containers(site: Site, house: House, info: ServerInfo, callers: Callers) -> ContainerServicer:
    pictures, captures = Pictures(), house.adapters.captures
    return ContainerServicer(
        directory=house.registry,
        inspecting=_inspecting(house, pictures),
        starting=StartingDesk(
            directory=house.registry,
            creator=house.verbs.creator,
            starter=house.verbs.starter,
            planner=house.verbs.planner,
            warnings=lambda spec: Host.look().warnings(spec),
            seal=house.adapters.vault.seal,
        ),
        changes=_changes(house),
        listing=ListingDesk(house.registry, pictures),
        waiter=house.verbs.waiter,
        logs=LogsDesk(
            directory=house.registry,
            output=house.adapters.output,
            hub=house.hub,
            keeps=lambda snapshot: captures.keeps(snapshot.spec.log_config),
            now=site.clock.now,
        ),
        stats=StatsDesk(house.verbs.sampler),
        watch=WatchDesk(directory=house.registry, feed=house.feed, pictures=pictures),
        attaching=AttachDesk(attacher=house.verbs.attacher),
        server_info=info,
        callers=callers,
    )


def _inspecting(house: House, pictures: Pictures) -> InspectDesk:
    return InspectDesk(
        directory=house.registry,
        pictures=pictures,
        networks=house.networks,
        layers=house.adapters.layers,
    )


def _changes(house: House) -> ChangesDesk:
    return ChangesDesk(
        stopper=house.verbs.stopper,
        restarter=house.verbs.restarter,
        killer=house.verbs.killer,
        pauser=house.verbs.pauser,
        renamer=house.verbs.renamer,
        updater=house.verbs.updater,
        cleaner=house.verbs.cleaner,
        pruner=house.verbs.pruner,
        seal=house.adapters.vault.seal,
        auditor=house.verbs.auditor,
    )


def _users(registry: Registry, name: str) -> list[str]:
    """Return the containers that were made from an image, by its name or digest."""
    return [s.id for s in registry.all() if name in (s.image.name, s.image.digest)]
