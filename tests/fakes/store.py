"""What a containerd holds, namespace by namespace, and what became of it.

Values and a diary. Layers and bundles are directories as well, as they are in the real one:
whoever removes a bundle's directory has removed the bundle.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from google.protobuf.timestamp_pb2 import Timestamp

from moored.containerd_api import snapshots_pb2, task_types_pb2
from tests.fakes.events import Bus
from tests.fakes.refusals import namespace_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from moored.containerd_api import containers_pb2, content_pb2, images_pb2, leases_pb2
    from tests.fakes.execs import Exec
    from tests.fakes.refusals import Context

FIRST_PID: Final = 2**22 + 1
"""Above every pid that a kernel can give: a signal to it can reach nobody."""
BUNDLES: Final = "io.containerd.runtime.v2.task"
_LAYERS: Final = "io.containerd.snapshotter.v1.overlayfs"
_NEVER: Final = -62135596800
"""How containerd writes the time of what did not happen: the year 1."""


@dataclass
class Layer:
    info: snapshots_pb2.Info
    place: Path


@dataclass
class Blob:
    info: content_pb2.Info
    content: bytes


@dataclass
class Task:
    """``cut`` is set when a Wait for it ends without an exit."""

    process: task_types_pb2.Process
    args: tuple[str, ...]
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    cut: bool = False
    deaf_to: frozenset[int] = frozenset()
    pending: list[int] = field(default_factory=list)
    """Signals that a paused process gets when it goes on."""
    waiters: int = 0
    execs: dict[str, Exec] = field(default_factory=dict)
    window: tuple[int, int] = (0, 0)
    """Of its terminal, as it was last resized."""
    stdin_closed: bool = False

    @property
    def alive(self) -> bool:
        return self.process.status != task_types_pb2.STOPPED


@dataclass
class Lease:
    lease: leases_pb2.Lease
    layers: set[str] = field(default_factory=set)
    blobs: set[str] = field(default_factory=set)


@dataclass
class Namespace:
    name: str
    containers: dict[str, containers_pb2.Container] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    half_made: set[str] = field(default_factory=set)
    """Shims that containerd knows, and that know no task."""
    layers: dict[str, Layer] = field(default_factory=dict)
    images: dict[str, images_pb2.Image] = field(default_factory=dict)
    blobs: dict[str, Blob] = field(default_factory=dict)
    leases: dict[str, Lease] = field(default_factory=dict)

    def occupants(self) -> list[str]:
        """Name what keeps the namespace from being deleted, as containerd does."""
        kinds = {
            "images": self.images,
            "blobs": self.blobs,
            "containers": self.containers,
            'snapshots on "overlayfs" snapshotter': self.layers,
        }
        return [kind for kind, held in kinds.items() if held]


@dataclass(frozen=True)
class Inventory:
    """All that is held, as ``<namespace>/<name>``. Equal inventories are equal worlds."""

    containers: frozenset[str]
    tasks: frozenset[str]
    processes: frozenset[str]
    """Those of ``tasks`` whose process lives."""
    execs: frozenset[str]
    """Of ``tasks``, ended or not."""
    bundles: frozenset[str]
    """As found on the disk, whoever knows of them."""
    active_layers: frozenset[str]
    leases: frozenset[str]
    images: frozenset[str]
    committed_layers: frozenset[str]
    blobs: frozenset[str]

    @property
    def is_bare(self) -> bool:
        """Whether there is nothing but images and what they are made of."""
        return not (self.containers or self.tasks or self.bundles or self.active_layers)


class Store:
    def __init__(self, root: Path, state: Path, now: Callable[[], datetime] | None = None) -> None:
        self.root: Final = root
        self.state: Final = state
        self.now: Final = now or _system_now
        self.namespaces: Final[dict[str, Namespace]] = {}
        self.story: Final[list[str]] = []
        self.bus: Final = Bus()
        self._pids = itertools.count(FIRST_PID)
        self._places = itertools.count(1)

    def there(self, context: Context) -> Namespace:
        """Return the namespace of a call; nothing of it is kept before something is made."""
        name = namespace_of(context)
        return self.namespaces.get(name) or Namespace(name)

    def settled(self, namespace: Namespace) -> Namespace:
        """Keep a namespace from now on: something is in it."""
        return self.namespaces.setdefault(namespace.name, namespace)

    def tell(self, what: str) -> None:
        self.story.append(what)

    def stamp(self) -> Timestamp:
        return stamp(self.now())

    def new_pid(self) -> int:
        return next(self._pids)

    def new_layer(self) -> Path:
        """Make the directories of an overlay layer."""
        place = self.root / _LAYERS / "snapshots" / str(next(self._places))
        for name in ("fs", "work"):
            (place / name).mkdir(parents=True)
        return place

    def bundle(self, namespace: str, container: str) -> Path:
        return self.state / BUNDLES / namespace / container

    def work(self, namespace: str, container: str) -> Path:
        return self.root / BUNDLES / namespace / container

    def remove_bundle(self, namespace: str, container: str) -> None:
        for place in (self.bundle(namespace, container), self.work(namespace, container)):
            shutil.rmtree(place, ignore_errors=True)

    def exports(self) -> dict[tuple[str, str], dict[str, str]]:
        """What Introspection tells of the plugins that matter here."""
        content = "io.containerd.content.v1"
        return {
            (content, "content"): {"root": str(self.root / content)},
            (_LAYERS.rpartition(".")[0], "overlayfs"): {"root": str(self.root / _LAYERS)},
            ("io.containerd.runtime.v2", "task"): {},
        }

    def inventory(self) -> Inventory:
        layers = self._named(lambda space: space.layers)
        committed = self._named(
            lambda space: [
                key
                for key, layer in space.layers.items()
                if layer.info.kind == snapshots_pb2.COMMITTED
            ]
        )
        bundles = (self.state / BUNDLES).glob("*/*")
        return Inventory(
            containers=self._named(lambda space: space.containers),
            tasks=self._named(lambda space: space.tasks),
            processes=self._named(
                lambda space: [key for key, task in space.tasks.items() if task.alive]
            ),
            execs=self._named(
                lambda space: [
                    f"{key}/{name}" for key, task in space.tasks.items() for name in task.execs
                ]
            ),
            bundles=frozenset(f"{place.parent.name}/{place.name}" for place in bundles),
            active_layers=layers - committed,
            leases=self._named(lambda space: space.leases),
            images=self._named(lambda space: space.images),
            committed_layers=committed,
            blobs=self._named(lambda space: space.blobs),
        )

    def _named(self, held: Callable[[Namespace], Iterable[str]]) -> frozenset[str]:
        return frozenset(f"{s.name}/{key}" for s in self.namespaces.values() for key in held(s))


def stamp(at: datetime) -> Timestamp:
    value = Timestamp()
    value.FromDatetime(at)
    return value


def never() -> Timestamp:
    return Timestamp(seconds=_NEVER)


def _system_now() -> datetime:
    return datetime.now(UTC)
