"""Whether anything outside can have changed what a record says. Pure."""

from __future__ import annotations

from moored.model.restart import NO_RESTARTS
from moored.model.state import Created, Exited, Snapshot


def at_rest(snapshot: Snapshot) -> bool:
    """Return whether a container needs no recovery: nothing of it was alive, or was to be."""
    match snapshot.state:
        case Created():
            return True
        case Exited():
            may_restart = snapshot.spec.restart_policy != NO_RESTARTS
            return not may_restart and all(resource.kept for resource in snapshot.resources)
        case _:
            return False
