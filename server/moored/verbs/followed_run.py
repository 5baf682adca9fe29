"""One run of a container, as whoever reads its output has to know it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from moored.model.resources import Kind
from moored.model.state import Frozen, Running, Starting, Stopping

if TYPE_CHECKING:
    from moored.directory import Subject, View


@dataclass(frozen=True)
class RunOfSubject:
    """One run of a container, as a follower of its output needs to know it."""

    subject: Subject
    run: int

    def ended(self) -> bool:
        return self._over(self.subject.view)

    async def wait_ended(self) -> None:
        await self.subject.until(self._over)

    def _over(self, view: View) -> bool:
        """Its task is deleted: until then the shim may still be copying what it wrote.

        A task that could not be deleted is not waited for: nobody knows when it goes.
        """
        snapshot = view.snapshot
        alive = isinstance(snapshot.state, Starting | Running | Frozen | Stopping)
        left = {leftover.resource for leftover in snapshot.leftovers}
        tasks = (r for r in snapshot.resources if r.kind is Kind.TASK and r not in left)
        task = any(resource.run == self.run for resource in tasks)
        return view.gone or (snapshot.run != self.run) or not (alive or task)

    @property
    def leaving(self) -> bool:
        """Whether its process has ended, and its task is about to."""
        alive = isinstance(self.subject.view.snapshot.state, Starting | Running | Frozen | Stopping)
        return not alive and not self.ended()
