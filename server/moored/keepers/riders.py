"""The record that rides with a run in containerd, kept like the ledger's where users change it.

Law: who is renamed or updated while it runs is adopted so, should the ledger be lost. Nobody waits
for that: it follows the change, and is tried again while containerd does not answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from loguru import logger

from moored import errors
from moored.ledger import marks
from moored.model.events import Renamed, SpecUpdated
from moored.model.identity import run_id
from moored.model.state import Frozen, Running, Stopping

if TYPE_CHECKING:
    from moored.feed import Feed, Reader
    from moored.model.identity import ContainerId
    from moored.registry import Registry

_CHANGES: Final = frozenset({Renamed.__name__, SpecUpdated.__name__})
_PATIENCE: Final = 3600.0
_AGAIN: Final = 5.0
"""Seconds between two tries while containerd does not answer."""


class Containers(Protocol):
    async def mark(self, run: str, mark: bytes) -> bool: ...


@dataclass(kw_only=True)
class Riders:
    registry: Registry
    feed: Feed
    containers: Containers
    _due: set[ContainerId] = field(default_factory=set)

    async def run(self) -> None:
        """Read along until the feed closes."""
        reader = self.feed.reader()
        try:
            while True:
                reader = await self._read(reader)
                await self._write()
        except errors.ShuttingDown:
            return

    async def _read(self, reader: Reader) -> Reader:
        """Note who was changed, and return who is to read on."""
        try:
            tidings = await reader.next(_AGAIN if self._due else _PATIENCE)
        except errors.WatcherTooSlow:  # anybody may have been changed meanwhile
            self._due |= {snapshot.id for snapshot in self.registry.all()}
            return self.feed.reader()
        self._due |= {tiding.container for tiding in tidings if tiding.kind in _CHANGES}
        return reader

    async def _write(self) -> None:
        for container in tuple(self._due):
            try:
                await self._mark(container)
            except errors.RuntimeUnreachable as error:
                logger.debug("cannot mark container {} yet: {}", container, error)
                return
            except errors.RuntimeRefused as error:
                logger.warning("cannot mark container {}: {}", container, error)
            self._due.discard(container)

    async def _mark(self, container: ContainerId) -> None:
        if not self.registry.knows(container):
            return
        snapshot = self.registry.peek(container).snapshot
        if isinstance(snapshot.state, Running | Frozen | Stopping):
            await self.containers.mark(run_id(container, snapshot.run), marks.write(snapshot))
