"""Prune: remove every container that fits a filter and has no process, and none to come.

Each is looked at again under its own claim: what was started meanwhile stays.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from loguru import logger

from moored import errors
from moored.model.intent import Action, Asker, Intent
from moored.model.state import Created, Exited, Stranded
from moored.verbs.remove import remove
from moored.verbs.tracing import traced

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

    from moored.model.filters import Filter
    from moored.model.identity import ContainerId
    from moored.model.state import Snapshot
    from moored.owner import Owner
    from moored.registry import Registry
    from moored.saga import Clock
    from moored.verbs.release import Releaser

_REMOVE: Final = Intent(Action.REMOVE, Asker.CALLER)
_AT_ONCE: Final = 4
"""Containers that are released at the same time: more only queue inside containerd."""


@dataclass(frozen=True)
class PruneOutcome:
    removed: list[ContainerId]
    incomplete: list[ContainerId]


@dataclass(frozen=True, kw_only=True)
class Pruner:
    registry: Registry
    releaser: Releaser
    owner: Owner
    tracer: Tracer
    clock: Clock

    async def prune(self, wanted: Filter) -> PruneOutcome:
        return await self.owner.join(
            traced(self.tracer, "prune", self._prune(wanted)), "prune", may_cancel=lambda: False
        )

    async def _prune(self, wanted: Filter) -> PruneOutcome:
        width = asyncio.Semaphore(_AT_ONCE)

        async def gone(container: ContainerId) -> bool | None:
            async with width:
                return await self._remove(container, wanted)

        found = [s.id for s in self.registry.all() if _prunable(s, wanted)]
        fates = await asyncio.gather(*(gone(container) for container in found))
        return PruneOutcome(
            removed=[c for c, fate in zip(found, fates, strict=True) if fate is True],
            incomplete=[c for c, fate in zip(found, fates, strict=True) if fate is False],
        )

    async def _remove(self, container: ContainerId, wanted: Filter) -> bool | None:
        """Return whether it has gone whole; None: it was somebody else's to say."""
        try:
            async with self.registry.claim(container) as claim:
                if not _prunable(claim.snapshot, wanted):
                    return None
                await remove(claim, _REMOVE, releaser=self.releaser, clock=self.clock)
                return claim.subject.view.gone
        except errors.ContainerNotFound:
            return None
        except errors.LedgerFailed as error:  # the sweep goes on where this ended
            logger.warning("cannot prune container {}: {}", container, error)
            return False


def _prunable(snapshot: Snapshot, wanted: Filter) -> bool:
    return isinstance(snapshot.state, Created | Exited | Stranded) and wanted.fits(snapshot)
