"""Which containers there are, by id, name and age, and what readers see of each.

Law: nothing here waits, and nothing here changes a container. Who may only read is given a
``Directory``; who may change one needs the registry, which is one with locks.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right, insort
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeAlias

from moored import errors
from moored.holdings import Holdings
from moored.model.filters import EVERYTHING, Filter
from moored.model.identity import ContainerId, is_id_prefix
from moored.model.state import Removing, Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from moored.model.health import Readings
    from moored.model.timeline import Stage

Age: TypeAlias = tuple[datetime, ContainerId]
"""Orders containers, also over restarts: when they were created, and their ids."""
_NOBODY: Final = ContainerId("")
MOST_CANDIDATES: Final = 5
"""How many candidates an ambiguous reference names."""


class View:
    """One container as readers see it. Never changes; ``superseded`` when there is a newer one."""

    __slots__ = ("__weakref__", "_superseded", "gone", "readings", "snapshot", "stage")

    def __init__(
        self,
        snapshot: Snapshot,
        stage: Stage | None,
        readings: Readings | None = None,
        *,
        gone: bool = False,
    ) -> None:
        self.snapshot: Final = snapshot
        self.stage: Final = stage
        self.readings: Final = readings
        self.gone: Final = gone
        self._superseded: asyncio.Event | None = None

    async def superseded(self) -> None:
        if self._superseded is None:
            self._superseded = asyncio.Event()
        await self._superseded.wait()

    def supersede(self) -> None:
        if self._superseded is None:
            self._superseded = asyncio.Event()
        self._superseded.set()


class Subject:
    """One container over time: its newest view, also once it is gone."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.view = View(snapshot, None)
        self.lock: Final = asyncio.Lock()
        self.cleaners = 0
        """Cleanups that wait for the claim, or for the process to end."""
        self.removers = 0
        """Those of them that will remove it."""
        self.restarters = 0
        """Restarts that stop it in order to start it again."""
        self.preempted: Final = asyncio.Event()
        self.recovered: Final = asyncio.Event()
        """Set once it is known what became of it while no moored was there."""

    def publish(self, snapshot: Snapshot, stage: Stage | None, *, gone: bool = False) -> None:
        before, known = self.view, self.view.readings
        readings = known if known and known.run == snapshot.run else None
        self.view = View(snapshot, stage, readings, gone=gone)
        before.supersede()

    def note(self, readings: Readings) -> None:
        """Publish what probing found, unless it is of another run. Not a change: no claim."""
        before = self.view
        if before.snapshot.run == readings.run and not before.gone:
            self.view = View(before.snapshot, before.stage, readings)
            before.supersede()

    async def until(self, met: Callable[[View], bool]) -> View:
        """Return the first view from now on that ``met`` accepts. Wait for it if need be."""
        while not met(self.view):
            await self.view.superseded()
        return self.view


class Directory:
    def __init__(self, known: Sequence[Snapshot]) -> None:
        self._subjects: dict[ContainerId, Subject] = {}
        self._ids: list[ContainerId] = []
        self._ages: list[Age] = []
        self._names: dict[str, ContainerId] = {}
        self.holdings: Final = Holdings(known)
        for snapshot in known:
            self._list(Subject(snapshot))
            if snapshot.spec.name and not (
                isinstance(snapshot.state, Removing) and snapshot.leftovers
            ):
                self._names[snapshot.spec.name] = snapshot.id

    def find(self, reference: str) -> Subject:
        """Return the container with this id, this name, or the only one with this id prefix."""
        if subject := self._subjects.get(ContainerId(reference)):
            return subject
        named = self._subjects.get(self._names.get(reference, _NOBODY))
        # A rename that is not committed yet has only reserved its name.
        if named and named.view.snapshot.spec.name == reference:
            return named
        ids = self._with_prefix(reference)
        if len(ids) > 1:
            candidates = ",".join(ids[:MOST_CANDIDATES])
            raise errors.AmbiguousReference(
                f"cannot find container {reference!r}: {len(ids)} containers have this prefix",
                reference=reference,
                candidates=candidates,
            )
        if not ids:
            raise unknown(reference)
        return self._subjects[ids[0]]

    def peek(self, reference: str) -> View:
        return self.find(reference).view

    def page(self, after: Age | None, size: int, wanted: Filter = EVERYTHING) -> list[View]:
        """Return up to ``size`` containers that come after ``after``, oldest first."""
        start = bisect_right(self._ages, after) if after else 0
        views = (self._subjects[id].view for _, id in islice(self._ages, start, None))
        return list(islice((view for view in views if wanted.fits(view.snapshot)), size))

    def all(self) -> list[Snapshot]:
        return [self._subjects[id].view.snapshot for _, id in self._ages]

    def knows(self, container: ContainerId) -> bool:
        return container in self._subjects

    def refuse_taken(self, name: str, what: str) -> None:
        """Raise NameTaken if a container has this name, or is about to."""
        if holder := self._names.get(name):
            raise errors.NameTaken(
                f"{what}: container {holder} has the name {name!r}", name=name, container=holder
            )

    # The registry's own: who is listed, and under which name.

    def _reserve(self, name: str, container: ContainerId, what: str) -> None:
        self.refuse_taken(name, what)
        self._names[name] = container

    def _free(self, name: str, container: ContainerId) -> None:
        if self._names.get(name) == container:
            del self._names[name]

    def _list(self, subject: Subject) -> None:
        snapshot = subject.view.snapshot
        self._subjects[snapshot.id] = subject
        insort(self._ids, snapshot.id)
        insort(self._ages, age(snapshot))

    def _unlist(self, subject: Subject) -> None:
        snapshot = subject.view.snapshot
        self._free(snapshot.spec.name, snapshot.id)
        del self._subjects[snapshot.id]
        del self._ids[bisect_left(self._ids, snapshot.id)]
        del self._ages[bisect_left(self._ages, age(snapshot))]

    def _with_prefix(self, reference: str) -> list[ContainerId]:
        if not is_id_prefix(reference):
            return []
        first = bisect_left(self._ids, reference)
        last = bisect_right(self._ids, reference + "g")  # "g" comes after every digit of an id
        return self._ids[first:last]


def age(snapshot: Snapshot) -> Age:
    return (snapshot.created, snapshot.id)


def unknown(reference: str) -> errors.ContainerNotFound:
    return errors.ContainerNotFound(
        f"cannot find container {reference!r}: no id, name or id prefix fits", reference=reference
    )
