"""Where the cgroup of a run is, by its name alone: the record says, or else the mark does."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from moored.model import cgroup_places
from moored.model.identity import RunId, parse_run_id
from moored.oci import cgroups
from moored.uninterrupted import in_thread

if TYPE_CHECKING:
    from moored.directory import Directory


@dataclass(frozen=True)
class RunCgroups:
    instance: str
    directory: Directory

    def recorded(self, run: RunId) -> str:
        """Return where the record has it; without one, where a run has it of its own accord."""
        named = parse_run_id(run)
        if named is None or not self.directory.knows(named[0]):
            return cgroup_places.place(self.instance, "", run)
        snapshot = self.directory.peek(named[0]).snapshot
        return cgroup_places.of_run(snapshot, self.instance, named[1])

    async def find(self, run: RunId) -> str:
        """Return the same, and look for one that is on nobody's record."""
        named = parse_run_id(run)
        if named is None or self.directory.knows(named[0]):
            return self.recorded(run)
        found = await in_thread(partial(marked, self.instance))
        return found.get(run) or self.recorded(run)


def marked(instance: str) -> dict[str, str]:
    """Return the runs with a cgroup below a parent of the host's, and where. Blocks."""
    places = cgroups.named(lambda name: bool(cgroup_places.marked(name, instance)))
    return {cgroup_places.marked(place.rpartition("/")[2], instance): place for place in places}
