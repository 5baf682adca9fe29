"""Create: a record and a name, and nothing on the host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from moored.model.state import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

    from moored.model.identity import ContainerId
    from moored.model.requests import Request
    from moored.model.spec import Spec
    from moored.registry import Registry
    from moored.saga import Clock
    from moored.verbs.admission import Admission


@dataclass(frozen=True)
class Creator:
    registry: Registry
    admission: Admission
    clock: Clock
    new_id: Callable[[], ContainerId]

    async def draft(self, spec: Spec) -> Snapshot:
        """Return the container that ``spec`` would be. Nobody knows of it yet."""
        image, runtime = await self.admission.admit(spec)
        return Snapshot(
            id=self.new_id(),
            spec=spec,
            image=image,
            runtime=runtime,
            network=self.admission.networks.resolve(spec),
            created=self.clock.now(),
        )

    async def create(self, spec: Spec, *, request: Request | None = None) -> Snapshot:
        async with self.registry.enrol(await self.draft(spec)) as claim:
            return await claim.apply(request=request)
