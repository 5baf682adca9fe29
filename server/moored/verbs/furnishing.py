"""What is mounted on the host for one run, to be shown in its container: the step ``mounts``.

Law: what is mounted is on record, by its kind and the run's name, before it is mounted; what has
nothing to mount has no such step.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from moored import errors
from moored.model import sharing
from moored.model.identity import RunId, run_id
from moored.model.resources import Kind, Resource
from moored.oci.sharing import SHARED_MEMORY
from moored.uninterrupted import in_thread

if TYPE_CHECKING:
    from moored.model.state import Snapshot
    from moored.verbs.joining import Joined

_IPC = "ipc"


class SharedMemory(Protocol):
    def path(self, run: RunId) -> str: ...
    def make(self, run: RunId, size: int) -> str: ...
    def join(self, run: RunId, owner: RunId) -> str: ...


@dataclass(frozen=True)
class Furnished:
    """What the runtime spec has to name."""

    shared_memory: str = ""
    """A directory of the host's to be /dev/shm. Empty: the runtime makes one."""


@dataclass(frozen=True)
class Furnisher:
    shared_memory: SharedMemory

    def resources(self, snapshot: Snapshot, run: int) -> tuple[Resource, ...]:
        """Return all that ``furnish`` may acquire."""
        if _has_memory(snapshot):
            return (Resource(Kind.SHM, run_id(snapshot.id, run), run),)
        return ()

    def planned(self, snapshot: Snapshot, run: int) -> Furnished:
        """Return what ``furnish`` would, without mounting."""
        if _has_memory(snapshot):
            return Furnished(self.shared_memory.path(run_id(snapshot.id, run)))
        return Furnished()

    async def furnish(self, snapshot: Snapshot, run: int, joined: Joined) -> Furnished:
        if not _has_memory(snapshot):
            return Furnished()
        return Furnished(await in_thread(partial(self._memory, snapshot, run, joined)))

    def _memory(self, snapshot: Snapshot, run: int, joined: Joined) -> str:
        name, owner = run_id(snapshot.id, run), joined.owners.get(_IPC)
        try:
            if owner is None:
                return self.shared_memory.make(name, snapshot.spec.shm_size or SHARED_MEMORY)
            return self.shared_memory.join(name, run_id(owner.id, owner.run))
        except FileNotFoundError as error:
            if owner is None:
                raise errors.MountFailed(f"cannot mount shared memory: {error}") from error
            raise errors.NamespaceOwnerNotRunning(
                f"cannot join ipc of container {owner.id!r}: it has just ended; start it first",
                owner=owner.id,
                kind=_IPC,
            ) from error
        except OSError as error:
            raise errors.MountFailed(f"cannot mount shared memory: {error}") from error


def _has_memory(snapshot: Snapshot) -> bool:
    """Whether /dev/shm of a container is a mount that others may have too."""
    ipc = snapshot.spec.ipc
    return ipc == sharing.SHAREABLE or bool(sharing.reference(ipc))
