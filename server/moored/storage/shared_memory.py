"""/dev/shm of containers that share their ipc namespace: one mount on the host for each run.

An owner's is a tmpfs; whoever joins it gets a mount of his own of the same tmpfs. So either may
end first: the memory is there as long as one of them is.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from moored.storage.mounting import Places

if TYPE_CHECKING:
    from pathlib import Path

    from moored.model.identity import RunId
    from moored.storage.mounting import Kernel


class SharedMemory:
    def __init__(self, state: Path, kernel: Kernel) -> None:
        self._places: Final = Places(state / "shm", kernel)
        self._kernel: Final = kernel

    def path(self, run: RunId) -> str:
        """Return where that of ``run`` is mounted on the host, or would be."""
        return str(self._places.path(run))

    def make(self, run: RunId, size: int) -> str:
        """Mount a new tmpfs for ``run``, and return where."""
        place = str(self._places.make(run))
        self._kernel.tmpfs(place, f"mode=1777,size={size}")
        return place

    def join(self, run: RunId, owner: RunId) -> str:
        """Mount for ``run`` what its ``owner`` has, and return where.

        Raises FileNotFoundError where the owner has none any more.
        """
        held = os.open(self._places.path(owner), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # By its descriptor: the owner may let go of its own mount at any moment.
            if os.fstat(held).st_dev == os.stat(self._places.path(owner).parent).st_dev:
                raise FileNotFoundError(f"{owner} has no shared memory any more")
            place = str(self._places.make(run))
            self._kernel.bind(f"/proc/self/fd/{held}", place)
        finally:
            os.close(held)
        return place

    def list(self) -> list[RunId]:
        """Return the runs that have some, mounted or not."""
        return self._places.runs()

    def remove(self, run: RunId) -> bool:
        """Unmount that of ``run``, and return whether there was anything."""
        return self._places.clear(run)
