"""Is anything of a run alive? Asked of the kernel, for when containerd does not know.

A pid with the moment it began is one process for ever; the run's cgroup finds what that one
left behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from moored.model import cgroup_places
from moored.model.identity import parse_run_id
from moored.model.state import Frozen, Running, Stopping
from moored.oci import cgroups, processes
from moored.uninterrupted import in_thread

if TYPE_CHECKING:
    from moored.model.identity import RunId
    from moored.model.state import Snapshot


@dataclass(frozen=True)
class Aliveness:
    instance: str

    async def of(self, snapshot: Snapshot, run: RunId) -> bool:
        if isinstance(snapshot.state, Running | Frozen | Stopping):
            pid, ticks = snapshot.state.pid, snapshot.state.ticks
            if processes.is_alive(processes.ProcessIdentity(pid, ticks, processes.boot_id())):
                return True
        named = parse_run_id(run)
        cgroup = cgroup_places.of_run(snapshot, self.instance, named[1] if named else None)
        return bool(await in_thread(partial(cgroups.alive, cgroup)))
