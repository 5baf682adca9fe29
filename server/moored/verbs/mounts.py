"""What one run mounts: recorded, provided, held until the container has it, and compared.

Nothing is mounted on the host: the runtime makes every mount inside the container's own mount
namespace, and they all end with it. What there is to take back are volumes and directories.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from moored import errors
from moored.errors import Violation
from moored.model.identity import ContainerId, run_id
from moored.model.mounts import MountType, Placed, placed, volumes
from moored.model.resources import Hold, Kind, Resource
from moored.oci.mounts import Sourced
from moored.storage import binds
from moored.uninterrupted import abandonable

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Callable, Iterator, Sequence

    from moored.containerd.values import Mount as Layer
    from moored.model.identity import RunId
    from moored.model.spec import Spec
    from moored.model.state import Snapshot
    from moored.storage.binds import Binds, Source
    from moored.storage.volumes import VolumeDirectories
    from moored.volumes import Volumes

T = TypeVar("T")


@dataclass
class Mounted:
    """The mounts of one run, and the sources that are held open for them."""

    sourced: list[Sourced] = field(default_factory=list)
    held: list[tuple[Placed, Source]] = field(default_factory=list)

    def close(self) -> None:
        while self.held:
            self.held.pop()[1].close()


class Mounts(Protocol):
    """The part that a start uses."""

    def resources(self, snapshot: Snapshot, run: int) -> tuple[Resource, ...]: ...
    def planned(self, snapshot: Snapshot) -> Sequence[Sourced]: ...
    def holds(self, snapshot: Snapshot) -> bool: ...
    async def check(self, spec: Spec) -> None: ...
    async def provide(
        self, snapshot: Snapshot, into: Mounted, rootfs: Future[list[Layer]]
    ) -> None: ...
    async def compare(self, pid: int, mounted: Mounted) -> None: ...


@dataclass(frozen=True)
class HostMounts:
    volumes: Volumes
    directories: VolumeDirectories
    binds: Binds
    patience: float
    """Seconds that a path of the host's may take to be looked at."""

    def resources(self, snapshot: Snapshot, run: int) -> tuple[Resource, ...]:
        """Return what ``run`` is the first to use, or may have to make."""
        places = _of(snapshot)
        known = {(resource.kind, resource.key) for resource in snapshot.resources}
        wanted = dict.fromkeys(
            [(Kind.VOLUME, one.volume) for one in volumes(places)]
            + [
                (Kind.SOURCE, source_key(snapshot, one))
                for one in places
                if one.mount.create_source
            ]
        )
        return tuple(Resource(*one, run, kept=True) for one in wanted if one not in known)

    def planned(self, snapshot: Snapshot) -> Sequence[Sourced]:
        return [Sourced(one, self._source(one)) for one in _of(snapshot)]

    def holds(self, snapshot: Snapshot) -> bool:
        """Whether there are sources to be compared with what a container was given."""
        return any(one.mount.type is MountType.BIND for one in _of(snapshot))

    async def check(self, spec: Spec) -> None:
        """Refuse binds that are not allowed, or not possible as the host is now."""
        for number, mount in enumerate(spec.mounts):
            if mount.type is MountType.BIND:
                with _told(f"spec.mounts[{number}]"):
                    await self._ask(partial(self.binds.check, mount, spec.role))

    async def provide(self, snapshot: Snapshot, into: Mounted, rootfs: Future[list[Layer]]) -> None:
        """Make and fill what is missing. ``rootfs`` is how the container's root is mounted."""
        run = run_id(snapshot.id, snapshot.run)
        new = {r.key for r in snapshot.resources if r.run == snapshot.run and r.kind is Kind.VOLUME}
        for one in _of(snapshot):
            source = self._source(one)
            match one.mount.type:
                case MountType.VOLUME:
                    fills = one.volume in new and not one.mount.no_copy
                    fill = await self._filling(one, rootfs) if fills else None
                    source = await self.volumes.provide(one, run, fill)
                case MountType.BIND:
                    source = await self._hold(one, snapshot.spec.role, run, into)
                case MountType.TMPFS:
                    pass
            into.sourced.append(Sourced(one, source))

    async def compare(self, pid: int, mounted: Mounted) -> None:
        """Refuse to let a container run that was given anything but what is held for it."""
        for one, source in mounted.held:
            with _told(one.field):
                await self._ask(partial(binds.compare, pid, one.destination, source, one.mount))
        mounted.close()

    async def let_go_source(self, resource: Resource) -> bool:
        """Take back what a start made that is being undone; what was in use stays."""
        container, _, path = resource.key.partition(":")
        if resource.hold is not Hold.WANTED:
            return False
        run = run_id(ContainerId(container), resource.run)
        return await self._ask(partial(binds.take_back, path, run))

    async def _hold(self, one: Placed, role: str, run: RunId, into: Mounted) -> str:
        with _told(one.field):
            source = await self._ask(
                partial(self.binds.hold, one.mount, role, run), drop=lambda late: late.close()
            )
        into.held.append((one, source))
        return source.path

    async def _filling(
        self, one: Placed, rootfs: Future[list[Layer]]
    ) -> Callable[[Callable[[], None]], None]:
        layers = await rootfs
        return partial(self.directories.fill, one.volume, layers, one.destination)

    def _source(self, one: Placed) -> str:
        if one.mount.type is MountType.TMPFS:
            return "tmpfs"
        return self.directories.path(one.volume) if one.volume else one.mount.source

    async def _ask(self, deed: Callable[[], T], drop: Callable[[T], None] = lambda _: None) -> T:
        try:
            return await abandonable(deed, within=self.patience, drop=drop)
        except TimeoutError as error:
            raise errors.StorageFailed(
                f"cannot mount a path of the host's: it did not answer in {self.patience:g} s"
            ) from error


@contextmanager
def _told(where: str) -> Iterator[None]:
    """Tell which field it is that a source cannot be mounted for."""
    try:
        yield
    except binds.Gone as gone:
        raise errors.RuntimeRefused(
            f"cannot look at {where}: the container's process ended before its program began"
        ) from gone
    except binds.NotAllowed as refusal:
        found = Violation(f"{where}.source", str(refusal))
        raise errors.BindNotAllowed(
            f"cannot mount {found.field}: {found.why}", found, rule="bind_roots"
        ) from refusal
    except binds.NotPossible as refusal:
        found = Violation(f"{where}.{refusal.part}", str(refusal))
        raise errors.InvalidField(f"cannot mount {found.field}: {found.why}", found) from refusal
    except OSError as error:
        why = error.strerror or str(error)
        raise errors.StorageFailed(f"cannot mount {where}: {why}") from error


def source_key(snapshot: Snapshot, one: Placed) -> str:
    """Return the name of a source as a resource: whose it is says who may take it back."""
    return f"{snapshot.id}:{one.mount.source}"


def _of(snapshot: Snapshot) -> tuple[Placed, ...]:
    return placed(snapshot.id, snapshot.spec, snapshot.image)
