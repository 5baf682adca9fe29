"""Create, remove and prune volumes: each goes on to its end, whoever stops waiting for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from loguru import logger

from moored import errors
from moored.verbs.tracing import traced

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from opentelemetry.trace import Tracer

    from moored.model.volumes import Volume, VolumeFilter
    from moored.owner import Owner
    from moored.volumes import Volumes

T = TypeVar("T")


@dataclass(frozen=True)
class VolumesPruned:
    removed: list[str]
    incomplete: list[str]


@dataclass(frozen=True)
class VolumeVerbs:
    volumes: Volumes
    owner: Owner
    tracer: Tracer

    async def create(self, name: str, labels: Mapping[str, str], *, request: str = "") -> Volume:
        work = self.volumes.create(name, labels, request=request)
        return await self._own("create volume", work)

    async def remove(self, name: str) -> None:
        await self._own("remove volume", self.volumes.remove(name))

    async def prune(self, wanted: VolumeFilter) -> VolumesPruned:
        return await self._own("prune volumes", self._prune(wanted))

    async def _prune(self, wanted: VolumeFilter) -> VolumesPruned:
        outcome = VolumesPruned([], [])
        for volume in self.volumes.page("", len(self.volumes), wanted):
            try:
                await self.volumes.remove(volume.name)
            except (errors.VolumeInUse, errors.VolumeNotFound):  # that was somebody's meanwhile
                continue
            except errors.MooredError as error:
                logger.warning("cannot prune volume {}: {}", volume.name, error)
                outcome.incomplete.append(volume.name)
            else:
                outcome.removed.append(volume.name)
        return outcome

    async def _own(self, verb: str, work: Coroutine[Any, Any, T]) -> T:
        return await self.owner.join(
            traced(self.tracer, verb, work), verb, may_cancel=lambda: False
        )
