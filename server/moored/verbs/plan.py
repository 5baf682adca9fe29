"""What a start would do: its steps, what each would acquire, and the runtime spec.

Admits as a start does, and acquires nothing: no record, no name, no place in the queue.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from moored.model.identity import ID_LENGTH, ContainerId
from moored.model.state import Running
from moored.verbs.startable import refuse_if_removing, refuse_unless_startable
from moored.verbs.steps import STEPS, kinds

if TYPE_CHECKING:
    from moored.model.spec import Spec
    from moored.model.state import Snapshot
    from moored.registry import Registry
    from moored.verbs.bring_up import BringUp
    from moored.verbs.create import Creator

STAND_IN: Final = ContainerId("0" * ID_LENGTH)
"""The id of a container that is only planned."""


@dataclass(frozen=True)
class Step:
    name: str
    acquires: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """``snapshot`` is the container before the start."""

    snapshot: Snapshot
    steps: tuple[Step, ...] = ()
    runtime_spec: str = ""

    @property
    def already_running(self) -> bool:
        return not self.steps


@dataclass(frozen=True)
class Planner:
    registry: Registry
    creator: Creator
    bring_up: BringUp

    async def of_spec(self, spec: Spec) -> Plan:
        """Return what the start of a container that does not exist would do."""
        draft = replace(await self.creator.draft(spec), id=STAND_IN)
        self.registry.refuse_taken(spec.name, f"cannot create container {spec.name!r}")
        return await self._of(draft)

    async def of_container(self, reference: str, *, generation: int | None = None) -> Plan:
        """Return what the start of a container would do now; it waits for its turn, as that."""
        refuse_if_removing(self.registry.find(reference))
        async with self.registry.claim(reference, generation=generation) as claim:
            if isinstance(claim.snapshot.state, Running):
                return Plan(claim.snapshot)
            refuse_unless_startable(claim.snapshot)
            await self.creator.admission.check(claim.snapshot.spec)
            return await self._of(claim.snapshot)

    async def _of(self, snapshot: Snapshot) -> Plan:
        await self.bring_up.surroundings.networks.ready(snapshot)
        run = snapshot.run + 1
        wanted = self.bring_up.planned(snapshot, run)
        idle = self.bring_up.surroundings.idle(snapshot)
        steps = [
            Step(
                name,
                tuple(
                    f"{r.kind} {r.key}"
                    for kind in kinds(name, idle)
                    for r in wanted
                    if r.kind is kind
                ),
            )
            for name in STEPS
            if name not in idle
        ]
        spec = self.bring_up.planned_spec(replace(snapshot, run=run))
        return Plan(snapshot, tuple(steps), spec.decode())
