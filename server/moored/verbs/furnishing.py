"""What is mounted on the host for one run, to be shown in its container: the step ``mounts``.

Law: what is mounted is on record, by its kind and the run's name, before it is mounted; what has
nothing to mount has no such step.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol

from moored import errors
from moored.model import sharing
from moored.model.identity import RunId, run_id
from moored.model.resources import Kind, Resource
from moored.oci.sharing import SHARED_MEMORY
from moored.uninterrupted import in_thread
from moored.verbs.secrets import has_secrets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moored.model.state import Snapshot
    from moored.verbs.joining import Joined
    from moored.verbs.secrets import SecretKeeper

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
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Files of the host's to be shown read-only: destination -> path."""


@dataclass(frozen=True)
class Furnisher:
    shared_memory: SharedMemory
    secrets: SecretKeeper

    def resources(self, snapshot: Snapshot, run: int) -> tuple[Resource, ...]:
        """Return all that ``furnish`` may acquire."""
        wanted = {Kind.SHM: _has_memory(snapshot), Kind.SECRETS: has_secrets(snapshot.spec)}
        name = run_id(snapshot.id, run)
        return tuple(Resource(kind, name, run) for kind, is_wanted in wanted.items() if is_wanted)

    def planned(self, snapshot: Snapshot, run: int) -> Furnished:
        """Return what ``furnish`` would, without mounting."""
        name = run_id(snapshot.id, run)
        memory = self.shared_memory.path(name) if _has_memory(snapshot) else ""
        return Furnished(memory, self.secrets.planned(snapshot, run))

    async def furnish(self, snapshot: Snapshot, run: int, joined: Joined) -> Furnished:
        memory = ""
        if _has_memory(snapshot):
            memory = await in_thread(partial(self._memory, snapshot, run, joined))
        return Furnished(memory, await self.secrets.hand_out(snapshot, run))

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
