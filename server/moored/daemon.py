"""The daemon: takes its premises, builds the house, serves it, and drains.

Reads are served as soon as the ledger is read; recovery runs beside them.
"""

from __future__ import annotations

import asyncio
import gc
import signal
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from loguru import logger

from moored import __version__, errors, failpoints, premises
from moored.api.entrance import Entrance
from moored.api.server import Server
from moored.api.server_info import RuntimeFound
from moored.clock import SystemClock
from moored.containerd import runtimes as runtime_probes
from moored.containerd import traces
from moored.containerd.locate import locate
from moored.containerd.values import Runtime
from moored.containerd.versions import server_version
from moored.house import adoption
from moored.house.house import House
from moored.house.site import Site
from moored.keepers.heartbeat import Heartbeat
from moored.keepers.pulse import Pulse
from moored.oci import cgroups, host_hooks
from moored.telemetry import log_export, logging, metrics, process, tracing
from moored.telemetry.exporting import SHUTDOWN_LIMIT
from moored.telemetry.measures import Measures
from moored.verbs.admission import Runtimes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from opentelemetry.trace import Tracer

    from moored.config import Settings
    from moored.supervisor import Supervisor

_PULSE_LIMIT: Final = 2.0
"""Seconds that containerd has, to show that it lives."""
_KEEPERS_END: Final = 2.0
_LAST_WORDS: Final = 5.0 + 3 * SHUTDOWN_LIMIT
"""Seconds that the end may take once all verbs have: calls are told, keepers end, and then the
last spans, numbers and lines go out, one after another."""


async def serve(settings: Settings, supervisor: Supervisor) -> None:
    """Serve until SIGTERM or SIGINT, and drain. Raises SetupRefused before anything began."""
    exported = log_export.configure(__version__, settings.instance)
    logging.configure(settings.log_format, settings.log_level, also=exported.sink)
    try:
        await _keep_root(settings, supervisor)
    finally:
        await asyncio.to_thread(exported.shutdown)


async def _keep_root(settings: Settings, supervisor: Supervisor) -> None:
    """Serve as the only one with this root."""
    entrance = Entrance.of(settings)
    premises.refuse_unless_root()
    premises.make_directories(settings.root, settings.state)
    lock = premises.RootLock(settings.root)
    lock.take()
    try:
        premises.free_sockets(settings.listen)
        async with _observed(settings) as observers, AsyncExitStack() as stack:
            await _serve(settings, entrance, observers, supervisor, stack)
    finally:
        lock.release()


@dataclass(frozen=True)
class Observers:
    tracer: Tracer
    measures: Measures


@asynccontextmanager
async def _observed(settings: Settings) -> AsyncIterator[Observers]:
    """Trace and measure, and export the last of it once all else has ended."""
    spans = tracing.configure(__version__, settings.instance)
    try:
        numbers = metrics.configure(__version__, settings.instance, settings.metrics_listen)
        try:
            yield Observers(spans.tracer, Measures(numbers.meter))
        finally:
            await asyncio.to_thread(numbers.shutdown)
    finally:
        await asyncio.to_thread(spans.shutdown)


async def _serve(
    settings: Settings,
    entrance: Entrance,
    observers: Observers,
    supervisor: Supervisor,
    stack: AsyncExitStack,
) -> None:
    located = await locate(settings.containerd, root=settings.root, state=settings.state)
    known = {name: Runtime(name=name, binary=binary) for name, binary in settings.runtimes.items()}
    instance = premises.InstanceLock(settings.instance, located.address)
    instance.take()
    stack.callback(instance.release)
    found = await _probe(settings, known)
    faults = {runtime.name: runtime.fault for runtime in found if runtime.fault}
    site = Site(
        settings=settings,
        address=located.address,
        places=located.places,
        silent=located.silent,
        runtimes=Runtimes(known, settings.runtime, faults),
        tracer=observers.tracer,
        measures=observers.measures,
        clock=SystemClock(),
        failpoints=failpoints.parse(settings.failpoints),
        policies=entrance.policies,
        hooks=host_hooks.read(Path(settings.hooks_dir)) if settings.hooks_dir else (),
    )
    if site.failpoints:
        logger.warning("fail points are on, which is for tests only: {}", site.failpoints)
    await adoption.refuse_if_lost(site)
    house = await House.build(site, stack)
    if left := await house.adapters.images.sweep():
        logger.info("removed what {} interrupted imports had left", left)
    house.owner.keep(house.verbs.volumes.volumes.finish_removals(), "finish removals")
    pulse = Pulse(ask=partial(server_version, house.adapters.connection, within=_PULSE_LIMIT))
    observers.measures.watch(
        "moored.containerd.reachable",
        "1",
        "Whether containerd answers: 1 or 0",
        lambda: {"": int(pulse.reachable)},
    )
    process.watch(observers.measures, asyncio.get_running_loop())
    server = Server.build(site, house, located=located, runtimes=found, pulse=pulse)
    entrance.watch(observers.measures)
    with premises.socket_mode(settings.socket_mode):
        server.bind(settings.listen, entrance.certificates)
    asyncio.get_running_loop().add_signal_handler(
        signal.SIGHUP, lambda: house.owner.keep(entrance.reload(), "reload")
    )
    await _run(settings, house, server, pulse, supervisor)


async def _probe(settings: Settings, known: Mapping[str, Runtime]) -> Sequence[RuntimeFound]:
    """Try each runtime, the default first; one that is missing or broken is shown as such."""
    names = sorted(known, key=lambda name: (name != settings.runtime, name))
    found = await asyncio.gather(*(_try(settings, known[name]) for name in names))
    if fault := found[0].fault:
        raise errors.SetupRefused(
            f"cannot use runtime {settings.runtime!r}: {fault}; choose another with --runtime"
        )
    for other in found[1:]:
        if other.fault:
            logger.info("runtime {} does not work here: {}", other.name, other.fault)
    return found


async def _try(settings: Settings, runtime: Runtime) -> RuntimeFound:
    fault, version = await asyncio.gather(
        runtime_probes.probe(runtime, scratch=settings.state), runtime_probes.version(runtime)
    )
    return RuntimeFound(runtime.name, version, fault)


async def _run(
    settings: Settings, house: House, server: Server, pulse: Pulse, supervisor: Supervisor
) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    keepers: list[asyncio.Task[Any]] = []
    try:
        premises.give_to_group(settings.listen, settings.socket_group)
        # What is there by now stays: to look through it for garbage would hold up every answer.
        gc.collect()
        gc.freeze()
        gc.enable()
        await server.start()
        keepers += _keep(house, pulse, Heartbeat(supervisor), stopping)
        serving = f"serves {len(house.registry.all())} containers"
        logger.info("moored {} {}", __version__, serving)
        supervisor.serving(serving)
        await stopping.wait()
        supervisor.draining(at_most=longest_end(settings.drain_timeout))
        await _drain(settings, house, server)
    finally:
        await server.stop()
        for keeper in keepers:
            keeper.cancel()
        if keepers:
            await asyncio.wait(keepers, timeout=_KEEPERS_END)
        premises.remove_sockets(settings.listen)
        # Both only if empty: what is above our runs stays as long as there is one.
        cgroups.remove_parent_if_empty(settings.instance)
        traces.forget_namespace(settings.instance)


def _keep(
    house: House, pulse: Pulse, heartbeat: Heartbeat, stopping: asyncio.Event
) -> list[asyncio.Task[Any]]:
    """Let the keepers run. One that fails is a defect, and ends the daemon for a fresh start."""

    def ended(task: asyncio.Task[Any]) -> None:
        if not task.cancelled() and (error := task.exception()):
            logger.opt(exception=error).critical("keeper {} failed", task.get_name())
            stopping.set()

    keepers = house.keepers
    tasks = [
        asyncio.create_task(keepers.recovery.run(), name="recovery"),
        asyncio.create_task(keepers.sweep.run(), name="sweep"),
        asyncio.create_task(keepers.hints.run(), name="hints"),
        asyncio.create_task(keepers.restarts.run(), name="restarts"),
        asyncio.create_task(keepers.census.run(), name="census"),
        asyncio.create_task(keepers.rules.run(), name="rules"),
        asyncio.create_task(keepers.watchman.run(), name="watchman"),
        asyncio.create_task(keepers.health.run(), name="health"),
        asyncio.create_task(keepers.riders.run(), name="riders"),
        asyncio.create_task(keepers.output.run(), name="output"),
        asyncio.create_task(keepers.uses.run(), name="uses"),
        asyncio.create_task(pulse.run(), name="pulse"),
        asyncio.create_task(heartbeat.run(), name="heartbeat"),
    ]
    for task in tasks:
        task.add_done_callback(ended)
    return tasks


def longest_end(drain_timeout: float) -> float:
    """Return the seconds from SIGTERM to the exit when nothing ends before its time.

    Verbs have ``drain_timeout`` to end, all together, and as long again to undo what they did not.
    """
    return 2 * drain_timeout + _LAST_WORDS


async def _drain(settings: Settings, house: House, server: Server) -> None:
    logger.info("draining")
    house.keepers.restarts.close()
    await server.refuse_changes()
    clock, limit = asyncio.get_running_loop().time, settings.drain_timeout
    end = clock() + limit
    await asyncio.gather(house.owner.settle(limit), server.changes(limit))
    # Also what those calls have begun meanwhile.
    left = max(0.0, end - clock())
    if late := await house.owner.drain(left, undone_within=limit):
        logger.warning("{} verbs did not end in time and were cut short", late)
    logger.info("drained")
