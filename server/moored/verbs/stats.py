"""Stats: what each run uses now. Takes no claim, asks no process, keeps nothing.

A run that ends while it is read is left out: half of its numbers would be of nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from moored import errors
from moored.model import cgroup_places
from moored.model.state import Frozen, Running, Stopping
from moored.network import interfaces
from moored.oci import usage
from moored.uninterrupted import in_thread

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from moored.directory import Directory, Subject
    from moored.model.state import Snapshot
    from moored.network.interfaces import Traffic
    from moored.oci.usage import Usage
    from moored.saga import Clock


@dataclass(frozen=True)
class Sample:
    snapshot: Snapshot
    at: datetime
    usage: Usage
    traffic: Sequence[Traffic]


@dataclass(frozen=True, kw_only=True)
class Sampler:
    directory: Directory
    instance: str
    clock: Clock

    def find(self, references: Sequence[str]) -> list[Subject]:
        """Return those that are named, once each. All of them have to have a process."""
        found: dict[str, Subject] = {}
        for reference in references:
            subject = self.directory.find(reference)
            snapshot = subject.view.snapshot
            if not _lives(snapshot):
                raise errors.ContainerNotRunning(
                    f"cannot tell what container {snapshot.id!r} uses: it has no process",
                    container=snapshot.id,
                )
            found[snapshot.id] = subject
        return list(found.values())

    async def sample(self, subjects: Sequence[Subject] | None) -> list[Sample]:
        """Read what those of ``subjects`` that have a process use; None: of all there are."""
        known = self.directory.all() if subjects is None else (s.view.snapshot for s in subjects)
        living = [snapshot for snapshot in known if _lives(snapshot)]
        return await in_thread(partial(self._read_all, living))

    def _read_all(self, snapshots: Sequence[Snapshot]) -> list[Sample]:
        samples = (self._read(snapshot) for snapshot in snapshots)
        return [sample for sample in samples if sample is not None]

    def _read(self, snapshot: Snapshot) -> Sample | None:
        if not isinstance(snapshot.state, Running | Frozen | Stopping):
            return None
        found = usage.of_cgroup(cgroup_places.of_run(snapshot, self.instance))
        traffic = interfaces.of_process(snapshot.state.pid)
        if found is None or traffic is None:
            return None
        return Sample(snapshot, self.clock.now(), found, traffic)


def _lives(snapshot: Snapshot) -> bool:
    return isinstance(snapshot.state, Running | Frozen | Stopping)
