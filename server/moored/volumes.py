"""Volumes: which there are, who uses them, and who may change one.

Laws: a volume is on record before it is on the disk, and off the disk before it is off the record;
its users are the containers that have it on record as a resource, and nothing else says so;
changes of one volume happen one after another; readers never wait. Who waits here may hold a
container's claim, and never the other way round.
"""

from __future__ import annotations

import asyncio
import secrets
from bisect import bisect_right
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final, Protocol
from weakref import WeakValueDictionary

from loguru import logger

from moored import errors
from moored.ledger.changes import Change, DropVolume, PutVolume
from moored.model.identity import parse_run_id
from moored.model.resources import Hold, Kind, Resource
from moored.model.volumes import Volume, VolumeFilter
from moored.uninterrupted import in_own_thread, uninterrupted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from moored.model.identity import ContainerId, RunId
    from moored.model.mounts import Placed
    from moored.model.state import Snapshot

LONGEST_REMOVAL: Final = 300.0
"""Seconds that deleting one volume may take. The next try goes on where that ended."""


class Journal(Protocol):
    """The part of the ledger that volumes are written to."""

    async def commit(self, change: Change) -> None: ...


class Directories(Protocol):
    """Where volumes are kept. ``go_on`` raises once nobody waits any more."""

    def path(self, name: str) -> str: ...
    def make(self, name: str) -> None: ...
    def settle(self, name: str, go_on: Callable[[], None]) -> None: ...
    def discard(self, name: str) -> None: ...
    def empty_trash(self, name: str, go_on: Callable[[], None]) -> None: ...
    def is_there(self, name: str) -> bool: ...
    def abandoned(self) -> set[str]: ...


class Volumes:
    def __init__(
        self,
        journal: Journal,
        directories: Directories,
        *,
        containers: Callable[[], Iterable[Snapshot]],
        now: Callable[[], datetime],
        known: Iterable[Volume] = (),
    ) -> None:
        self._journal = journal
        self._directories = directories
        self._containers = containers
        self._now = now
        self._known = {volume.name: volume for volume in known}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    # Reading: none of these waits.

    def __len__(self) -> int:
        return len(self._known)

    def find(self, name: str) -> Volume:
        if volume := self._known.get(name):
            return volume
        raise errors.VolumeNotFound(
            f"cannot find volume {name!r}: no volume has this name", volume=name
        )

    def users(self) -> Mapping[str, Sequence[ContainerId]]:
        """Return the containers that use each volume that any uses."""
        users: dict[str, list[ContainerId]] = {}
        for snapshot in self._containers():
            for resource in snapshot.resources:
                if resource.kind is Kind.VOLUME:
                    users.setdefault(resource.key, []).append(snapshot.id)
        return users

    def page(self, after: str, size: int, wanted: VolumeFilter) -> list[Volume]:
        """Return up to ``size`` volumes that come after ``after``, by name."""
        users, names = self.users(), sorted(self._known)
        rest = (self._known[name] for name in islice(names, bisect_right(names, after), None))
        return list(islice((v for v in rest if wanted.fits(v, in_use=v.name in users)), size))

    def path(self, name: str) -> str:
        return self._directories.path(name)

    # Changing.

    async def create(self, name: str, labels: Mapping[str, str], *, request: str = "") -> Volume:
        """Make an empty volume; one without a name is given one, and is anonymous."""
        volume = Volume(
            name or secrets.token_hex(32),
            self._now(),
            dict(labels),
            anonymous=not name,
            request=request,
        )
        async with self._turn(volume.name):
            if known := self._known.get(volume.name):
                if request and known.request == request:
                    return known
                raise errors.NameTaken(
                    f"cannot create volume {name!r}: there is one of this name",
                    name=name,
                    volume=name,
                )
            await self._put(volume)
            try:
                await self._work(f"make volume {name!r}", self._directories.make, volume.name)
            except BaseException:
                await uninterrupted(self._drop(volume.name))
                raise
        return volume

    async def provide(
        self, placed: Placed, run: RunId, fill: Callable[[Callable[[], None]], None] | None
    ) -> str:
        """Have a volume for a run, made and filled if need be, and return its directory.

        ``fill`` puts image content into it if it is empty. None: it stays as it is.
        """
        name = placed.volume
        async with self._turn(name):
            if name not in self._known:
                labels = dict(placed.mount.labels)
                await self._put(
                    Volume(name, self._now(), labels, anonymous=placed.anonymous, born=run)
                )
            with _failing(f"prepare volume {name!r}", name):
                await in_own_thread(fill or partial(_without_stop, self._directories.make, name))
        return self._directories.path(name)

    async def let_go(self, resource: Resource, *, with_data: bool) -> bool:
        """End a container's use of a volume, and return whether there was such a volume.

        The volume goes with it if it was made by a start that is being undone, or, ``with_data``,
        if it is the container's own; in both cases only if no other container uses it.
        """
        name = resource.key
        async with self._turn(name):
            volume = self._known.get(name)
            if volume is None:
                return False
            if self._goes(volume, resource, with_data=with_data):
                await self._delete(name)
            elif resource.hold is Hold.WANTED:
                with _failing(f"settle volume {name!r}", name):
                    await in_own_thread(partial(self._directories.settle, name))
            return True

    async def remove(self, name: str) -> None:
        """Delete a volume that nobody uses, with all that is in it."""
        async with self._turn(name):
            self.find(name)
            if users := self.users().get(name):
                raise errors.VolumeInUse(
                    f"cannot remove volume {name!r}: {len(users)} containers use it",
                    volume=name,
                    containers=",".join(users),
                )
            try:
                async with asyncio.timeout(LONGEST_REMOVAL):
                    await self._delete(name)
            except TimeoutError as error:
                raise errors.StorageFailed(
                    f"cannot remove volume {name!r}: it took longer than {LONGEST_REMOVAL:g} s;"
                    " the next try goes on",
                    volume=name,
                ) from error

    async def finish_removals(self) -> None:
        """Go on with every removal that was cut short. A failure is logged."""
        for name in self._directories.abandoned():
            async with self._turn(name):
                there = self._directories.is_there(name)  # one of the same name, made since
                try:
                    await self._empty_trash(name)
                    if not there and name in self._known:
                        await self._drop(name)
                except errors.MooredError as error:
                    logger.warning("cannot finish the removal of a volume yet: {}", error)

    def _goes(self, volume: Volume, resource: Resource, *, with_data: bool) -> bool:
        born = parse_run_id(volume.born) if volume.born else None
        if born is None or set(self.users().get(volume.name, ())) - {born[0]}:
            return False
        undone = resource.hold is Hold.WANTED and resource.run == born[1]
        return undone or (with_data and volume.anonymous)

    async def _delete(self, name: str) -> None:
        await self._work(f"remove volume {name!r}", self._directories.discard, name)
        await self._empty_trash(name)
        await self._drop(name)

    async def _empty_trash(self, name: str) -> None:
        with _failing(f"remove volume {name!r}", name):
            await in_own_thread(partial(self._directories.empty_trash, name))

    async def _work(self, to: str, deed: Callable[[str], None], name: str) -> None:
        with _failing(to, name):
            await in_own_thread(partial(_without_stop, deed, name))

    async def _put(self, volume: Volume) -> None:
        await self._journal.commit(PutVolume(volume))
        self._known[volume.name] = volume

    async def _drop(self, name: str) -> None:
        await self._journal.commit(DropVolume(name))
        del self._known[name]

    @asynccontextmanager
    async def _turn(self, name: str) -> AsyncIterator[None]:
        lock = self._locks.get(name)
        if lock is None:
            lock = self._locks[name] = asyncio.Lock()
        async with lock:
            yield


@contextmanager
def _failing(to: str, name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = error.strerror or str(error)
        raise errors.StorageFailed(f"cannot {to}: {why}", volume=name) from error


def _without_stop(deed: Callable[[str], None], name: str, go_on: Callable[[], None]) -> None:
    deed(name)
