"""A whole house on a fake containerd: all verbs and keepers, a real ledger, real files.

``inventory`` is everything that a container could leave anywhere. Equal inventories are equal
worlds.
"""

from __future__ import annotations

import asyncio
import io
import shutil
import tarfile
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from moored.clock import SystemClock
from moored.config import Settings
from moored.containerd.connection import Connection
from moored.containerd.places import find
from moored.containerd.values import Runtime
from moored.containerd_api import tasks_pb2, tasks_pb2_grpc
from moored.house.house import House
from moored.house.site import Site
from moored.model.spec import Spec
from moored.model.state import Frozen
from moored.verbs.admission import Runtimes
from tests.fakes.measures import UNMEASURED
from tests.unit import tars

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from moored.directory import View
    from moored.model.state import Snapshot
    from tests.fakes.containerd import FakeContainerd
    from tests.fakes.store import Inventory

WITHIN = 20.0
"""Seconds after which a test is stuck."""
STAYS = Spec(image="thing:1", command=("stays",))


@dataclass(frozen=True)
class Everything:
    containerd: Inventory
    files: frozenset[str]
    mounts: frozenset[str]


class World:
    def __init__(
        self, home: Path, fake: FakeContainerd, site: Site, house: House, spans: Any
    ) -> None:
        self.home = home
        self.fake = fake
        self.site = site
        self.house = house
        self.verbs = house.verbs
        self._spans = spans

    def inventory(self) -> Everything:
        places = (
            self.home / "root" / "output",
            *(
                self.home / "state" / name
                for name in ("runs", "shm", "secrets", "idmaps", "streams")
            ),
        )
        files = (str(path) for place in places if place.exists() for path in place.rglob("*"))
        mounts = frozenset(self.fake.kernel.mounted)
        return Everything(self.fake.inventory(), frozenset(files), mounts)

    @property
    def spans(self) -> list[tuple[str, str]]:
        return [(span.name, span.status.status_code.name) for span in self.finished]

    @property
    def finished(self) -> list[Any]:
        """Every span that has ended, by its beginning."""
        return sorted(self._spans.get_finished_spans(), key=lambda span: span.start_time or 0)

    def snapshot(self, reference: str) -> Snapshot:
        return self.house.registry.peek(reference).snapshot

    async def until(self, reference: str, met: Callable[[View], bool]) -> View:
        return await soon(self.house.registry.find(reference).until(met))

    async def settled(self, reference: str) -> Snapshot:
        """Return a container once nobody has a claim on it any more."""
        async with asyncio.timeout(WITHIN), self.house.registry.claim(reference) as claim:
            return claim.snapshot

    async def start(self, **fields: Any) -> Snapshot:
        spec = replace(STAYS, **fields)
        return (await soon(self.verbs.starter.create_and_start(spec))).snapshot

    async def pause(self, container: str) -> None:
        """Freeze a container as somebody else would, and wait until that is seen."""
        connection = self.house.adapters.connection
        stub = tasks_pb2_grpc.TasksStub(connection.channel)
        request = tasks_pb2.PauseTaskRequest(container_id=f"{container}.1")
        observing = asyncio.create_task(self.house.keepers.hints.run())
        try:
            await connection.unary(stub.Pause, request, "pause")
            await self.until(container, lambda view: isinstance(view.snapshot.state, Frozen))
        finally:
            observing.cancel()
            await asyncio.wait([observing])


T = TypeVar("T")


async def soon(work: Awaitable[T]) -> T:
    """Return what ``work`` gives, or fail: nothing in a test may hang."""
    async with asyncio.timeout(WITHIN):
        return await work


@asynccontextmanager
async def opened(home: Path, fake: FakeContainerd, **settings: Any) -> AsyncIterator[World]:
    """Build a house at ``home``, as moored does when it starts. Recovery is the test's to run."""
    for name in ("root", "state"):
        (home / name).mkdir(parents=True, exist_ok=True)
    own = {"step_timeout": 10, "undo_timeout": 5, "instance": "faults", "network": "none"}
    given = {**own, **settings}
    chosen = Settings.model_validate({"root": home / "root", "state": home / "state", **given})
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    connection = Connection(fake.address, namespace="faults")
    places = await find(connection)
    await connection.close()
    site = Site(
        settings=chosen,
        address=fake.address,
        places=replace(places, state=fake.state),
        runtimes=Runtimes({"runc": Runtime("runc", "runc")}, "runc", {}),
        tracer=provider.get_tracer("test"),
        measures=UNMEASURED,
        clock=SystemClock(),
        kernel=fake.kernel,
    )
    async with AsyncExitStack() as stack:
        house = await House.build(site, stack)
        world = World(home, fake, site, house, exporter)
        stack.push_async_callback(house.owner.drain, 1, undone_within=1)
        stack.callback(fake.forgive)
        yield world


async def bring_image(world: World) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield tars.tar_of(tars.docker_files(_programs("stays", "true"), tags=("thing:1",)))

    await world.house.adapters.images.import_(chunks(), limit=1 << 20)


def _programs(*names: str) -> bytes:
    """Return a layer with programs that can be executed, as far as a look tells."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as layer:
        for name in names:
            info = tarfile.TarInfo(f"bin/{name}")
            info.mode = 0o755
            layer.addfile(info)
    return out.getvalue()


def _fifos(directory: str, names: list[str]) -> list[str]:
    """Nobody opens them again: their ends are with those who had them."""
    return [name for name in names if (Path(directory) / name).is_fifo()]


@asynccontextmanager
async def copied(world: World, home: Path) -> AsyncIterator[World]:
    """Open a second house on what the first has on disk now: what a kill would leave."""
    shutil.copytree(world.home / "root", home / "root")
    streams = world.home / "state" / "streams"
    if streams.exists():
        shutil.copytree(streams, home / "state" / "streams", ignore=_fifos)
    async with opened(home, world.fake) as other:
        yield other
