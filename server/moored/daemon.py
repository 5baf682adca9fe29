"""The daemon: builds every part once, serves, and drains. Wiring, and nothing that decides.

Reads are served as soon as the ledger is read; recovery runs beside them.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import grpc
from grpc_health.v1 import health_pb2
from grpc_health.v1.health import SERVICE_NAME as HEALTH
from grpc_health.v1.health import aio as health
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server
from grpc_reflection.v1alpha import reflection
from loguru import logger

from moorage.v1 import container_service_pb2, image_service_pb2
from moored import __version__, errors, premises
from moored.api.container_service import ContainerServicer
from moored.api.image_service import ImageServicer
from moored.api.logs import LogsDesk
from moored.api.pictures import Pictures
from moored.api.server_info import RuntimeFound, ServerInfo
from moored.api.serving import Desk, Draining
from moored.clock import SystemClock
from moored.containerd import runtimes as runtime_probes
from moored.containerd.bundles import Bundles
from moored.containerd.connection import Connection
from moored.containerd.containers import Containers
from moored.containerd.events import Events
from moored.containerd.images import Images
from moored.containerd.layers import Layers
from moored.containerd.leases import Leases
from moored.containerd.locate import locate
from moored.containerd.tasks import Tasks
from moored.containerd.values import Runtime
from moored.containerd.versions import server_version
from moored.keepers.aliveness import Aliveness
from moored.keepers.exits import Exits
from moored.keepers.pauses import Pauses
from moored.keepers.pulse import Pulse
from moored.keepers.recovery import Recovery
from moored.keepers.sweep import Sweep
from moored.ledger.store import Ledger
from moored.model.identity import ContainerId
from moored.oci import cgroups, processes, runtime_spec
from moored.oci.host import Host
from moored.owner import Owner
from moored.registry import Registry
from moored.saga import Limits
from moored.storage.files import GeneratedFiles
from moored.streams.follow import Hub
from moored.streams.output import Output
from moored.telemetry import logging, tracing
from moored.verbs.admission import Admission, Runtimes
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
    from collections.abc import Mapping, Sequence

    from moored.config import Settings
    from moored.containerd.locate import Located
    from moored.telemetry.tracing import Tracing

_PULSE_LIMIT: Final = 2.0
_RUNTIME_HEALTH: Final = "moorage.runtime"
"""The health service's name for: containerd answers."""
_CALL_ENDING: Final = 1.0
"""Seconds that calls which only wait still have once every verb has ended."""
_SERVICES: Final = (
    container_service_pb2.DESCRIPTOR.services_by_name["ContainerService"],
    image_service_pb2.DESCRIPTOR.services_by_name["ImageService"],
)


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, and drain. Raises SetupRefused before anything began."""
    logging.configure(settings.log_format, settings.log_level)
    premises.refuse_unless_root()
    premises.make_directories(settings.root, settings.state)
    lock = premises.RootLock(settings.root)
    lock.take()
    try:
        premises.free_sockets(settings.listen)
        spans = tracing.configure(__version__, settings.instance)
        try:
            async with AsyncExitStack() as stack:
                await _Daemon(settings, spans, stack).run()
        finally:
            await asyncio.to_thread(spans.shutdown)
    finally:
        lock.release()


@dataclass(frozen=True)
class _Adapters:
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


class _Daemon:
    def __init__(self, settings: Settings, spans: Tracing, stack: AsyncExitStack) -> None:
        self._settings = settings
        self._tracer = spans.tracer
        self._stack = stack
        self._clock = SystemClock()
        self._owner = Owner()
        self._draining = Draining()
        self._health = health.HealthServicer()
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        settings = self._settings
        located = await locate(settings.containerd, root=settings.root, state=settings.state)
        runtimes = {
            name: Runtime(name=name, binary=binary) for name, binary in settings.runtimes.items()
        }
        found = await self._probe(runtimes)
        ledger = await Ledger.open(
            settings.root / "ledger.db",
            boot_id=processes.boot_id(),
            keep_events=settings.event_retention,
        )
        self._stack.push_async_callback(ledger.close)
        known, revision = await ledger.load()
        registry = Registry(ledger, now=self._clock.now, known=known, revision=revision)
        adapters = self._adapt(located)
        await self._serve(registry, adapters, runtimes, found, located, rebooted=ledger.rebooted)

    async def _probe(self, runtimes: Mapping[str, Runtime]) -> list[RuntimeFound]:
        """Try each runtime, the default first; one that is missing or broken is shown as such."""
        default = self._settings.runtime
        names = sorted(runtimes, key=lambda name: (name != default, name))
        found = await asyncio.gather(*(self._try(runtimes[name]) for name in names))
        if fault := found[0].fault:
            raise errors.SetupRefused(
                f"cannot use runtime {default!r}: {fault}; choose another with --runtime"
            )
        for other in found[1:]:
            if other.fault:
                logger.info("runtime {} does not work here: {}", other.name, other.fault)
        return found

    async def _try(self, runtime: Runtime) -> RuntimeFound:
        fault, version = await asyncio.gather(
            runtime_probes.probe(runtime, scratch=self._settings.state),
            runtime_probes.version(runtime),
        )
        return RuntimeFound(runtime.name, version, fault)

    def _adapt(self, located: Located) -> _Adapters:
        settings = self._settings
        connection = Connection(located.address, namespace=settings.instance)
        self._stack.push_async_callback(connection.close)
        layers, leases = Layers(connection), Leases(connection)
        return _Adapters(
            connection=connection,
            tasks=Tasks(connection),
            containers=Containers(connection),
            layers=layers,
            images=Images(connection, layers, leases, spool=settings.root),
            events=Events(connection),
            bundles=Bundles(located.places, namespace=settings.instance),
            generated=GeneratedFiles(settings.state),
            output=Output(settings.root),
        )

    async def _serve(
        self,
        registry: Registry,
        adapters: _Adapters,
        runtimes: Mapping[str, Runtime],
        found: Sequence[RuntimeFound],
        located: Located,
        *,
        rebooted: bool,
    ) -> None:
        hub = Hub(adapters.output)
        hub.start()
        self._stack.push_async_callback(hub.close)
        limits = Limits(self._settings.step_timeout, self._settings.undo_timeout)
        releaser = Releaser(adapters.holders, clock=self._clock, limit=limits.undo)
        aliveness = Aliveness(self._settings.instance)
        exits = Exits(
            registry=registry,
            tasks=adapters.tasks,
            releaser=releaser,
            aliveness=aliveness,
            clock=self._clock,
            output=hub,
        )
        self._stack.push_async_callback(exits.close)
        pulse = Pulse(
            ask=partial(server_version, adapters.connection, within=_PULSE_LIMIT),
            changed=self._runtime_changed,
        )
        info = ServerInfo(
            instance=self._settings.instance,
            containerd=located,
            reachable=lambda: pulse.reachable,
            runtimes=found,
            cgroup_mode=Host.look().cgroup_mode,
            host_network_allowed=self._settings.allow_host_network,
            services={service.full_name: service for service in _SERVICES},
            started=self._clock.now(),
        )
        servicer = self._container_servicer(
            registry, adapters, runtimes, found, exits, releaser, hub, info, limits
        )
        server = await self._bind(
            {
                "ContainerService": servicer,
                "ImageService": ImageServicer(
                    adapters.images,
                    names_in_use=partial(_users, registry),
                    import_limit=self._settings.largest_import,
                ),
            }
        )
        recovery = Recovery(
            registry=registry,
            tasks=adapters.tasks,
            releaser=releaser,
            exits=exits,
            aliveness=aliveness,
            clock=self._clock,
            process_ticks=_process_ticks,
            rebooted=rebooted,
        )
        keepers = {
            "recovery": recovery.run,
            "sweep": Sweep(
                registry=registry, releaser=releaser, exits=exits, clock=self._clock
            ).run,
            "pulse": pulse.run,
            "pauses": Pauses(
                registry=registry, tasks=adapters.tasks, events=adapters.events, clock=self._clock
            ).run,
        }
        await self._serve_until_stopped(server, keepers, registry)

    def _container_servicer(
        self,
        registry: Registry,
        adapters: _Adapters,
        runtimes: Mapping[str, Runtime],
        found: Sequence[RuntimeFound],
        exits: Exits,
        releaser: Releaser,
        hub: Hub,
        info: ServerInfo,
        limits: Limits,
    ) -> ContainerServicer:
        settings = self._settings
        admission = Admission(
            images=adapters.images,
            runtimes=Runtimes(
                runtimes, settings.runtime, {r.name: r.fault for r in found if r.fault}
            ),
            host_problems=lambda spec: Host.look().verify(spec),
            host_network_allowed=settings.allow_host_network,
        )
        creator = Creator(registry, admission, self._clock, _new_id)
        stopper = Stopper(
            registry=registry,
            tasks=adapters.tasks,
            owner=self._owner,
            tracer=self._tracer,
            clock=self._clock,
            kill_limit=limits.undo,
        )
        bring_up = BringUp(
            instance=settings.instance,
            tasks=adapters.tasks,
            containers=adapters.containers,
            layers=adapters.layers,
            files=HostFiles(adapters.generated, adapters.output, Host.look),
            watch=exits,
            runtimes=runtimes,
            build_spec=runtime_spec.build,
            process_ticks=_process_ticks,
            host=Host.look,
            clock=self._clock,
            step_limit=limits.step,
        )
        width = settings.concurrent_starts or 2 * (os.cpu_count() or 1)
        starter = Starter(
            registry=registry,
            admission=admission,
            creator=creator,
            bring_up=bring_up,
            releaser=releaser,
            gate=Gate(width, patience=settings.start_queue_timeout),
            owner=self._owner,
            tracer=self._tracer,
            clock=self._clock,
            limits=limits,
        )
        return ContainerServicer(
            registry=registry,
            pictures=Pictures(),
            creator=creator,
            starter=starter,
            stopper=stopper,
            waiter=Waiter(registry),
            cleaner=Cleaner(
                registry=registry,
                stopper=stopper,
                releaser=releaser,
                owner=self._owner,
                tracer=self._tracer,
                clock=self._clock,
            ),
            logs=LogsDesk(registry=registry, output=adapters.output, hub=hub),
            server_info=info,
        )

    async def _bind(self, servicers: Mapping[str, object]) -> grpc.aio.Server:
        settings = self._settings
        server = grpc.aio.server(
            options=(
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", settings.largest_message),
                ("grpc.keepalive_permit_without_calls", 1),
                ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
            )
        )
        desk = Desk(self._tracer, self._draining)
        server.add_generic_rpc_handlers(
            tuple(desk.handlers(service, servicers[service.name]) for service in _SERVICES)
        )
        add_HealthServicer_to_server(self._health, server)
        names = [service.full_name for service in _SERVICES]
        reflection.enable_server_reflection([*names, HEALTH, reflection.SERVICE_NAME], server)
        with premises.socket_mode(settings.socket_mode):
            for address in settings.listen:
                self._listen(server, address)
        premises.give_to_group(settings.listen, settings.socket_group)
        return server

    def _listen(self, server: grpc.aio.Server, address: str) -> None:
        try:
            port = server.add_insecure_port(
                address.replace("unix://", "unix:", 1).removeprefix("tcp://")
            )
        except RuntimeError as error:
            raise errors.SetupRefused(
                f"cannot listen on {address!r}: it is in use, or not this host's"
            ) from error
        logger.info("listening on {}{}", address, f" (port {port})" if address[-2:] == ":0" else "")

    async def _serve_until_stopped(
        self, server: grpc.aio.Server, keepers: Mapping[str, Any], registry: Registry
    ) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        await self._tell_health(health_pb2.HealthCheckResponse.SERVING)
        await self._runtime_changed(True)
        await server.start()
        tasks = [asyncio.create_task(run(), name=name) for name, run in keepers.items()]
        for task in tasks:
            task.add_done_callback(self._keeper_ended)
        logger.info("moored {} serves {} containers", __version__, len(registry.all()))
        try:
            await self._stopping.wait()
            await self._drain(server)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            premises.remove_sockets(self._settings.listen)
            # Only an empty one goes: the cgroup above our runs stays as long as one is in it.
            cgroups.remove_parent_if_empty(self._settings.instance)

    async def _drain(self, server: grpc.aio.Server) -> None:
        logger.info("draining")
        self._draining.on = True
        await self._tell_health(health_pb2.HealthCheckResponse.NOT_SERVING)
        late = await self._owner.drain(self._settings.drain_timeout)
        await server.stop(_CALL_ENDING)
        if late:
            logger.warning("{} verbs did not end in time and were undone", late)
        logger.info("drained")

    def _keeper_ended(self, task: asyncio.Task[Any]) -> None:
        if task.cancelled():
            return
        if error := task.exception():
            logger.opt(exception=error).critical("keeper {} failed", task.get_name())
            self._stopping.set()

    async def _tell_health(self, status: int) -> None:
        for name in ("", *(service.full_name for service in _SERVICES)):
            await self._health.set(name, status)

    async def _runtime_changed(self, reachable: bool) -> None:
        serving = health_pb2.HealthCheckResponse
        await self._health.set(
            _RUNTIME_HEALTH, serving.SERVING if reachable else serving.NOT_SERVING
        )


def _new_id() -> ContainerId:
    return ContainerId(secrets.token_hex(16))


def _process_ticks(pid: int) -> int:
    found = processes.identity(pid)
    return found.start_ticks if found else 0


def _users(registry: Registry, name: str) -> list[str]:
    """Return the containers that were made from an image, by its name or digest."""
    return [s.id for s in registry.all() if name in (s.image.name, s.image.digest)]
