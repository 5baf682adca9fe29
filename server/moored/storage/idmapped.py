"""Layers and volumes of one run, mounted so that they belong to the ids of its user namespace.

The runtime finds them below the state directory, where only root gets to. Once a task is made
nothing needs them any more: an overlay holds its layers, and a container its own mounts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from moored.storage.mounting import Places

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from moored.model.id_maps import IdMaps
    from moored.model.identity import RunId
    from moored.storage.mounting import Kernel


class IdmappedMounts:
    def __init__(self, state: Path, kernel: Kernel) -> None:
        self._places: Final = Places(state / "idmaps", kernel)
        self._kernel: Final = kernel

    def paths(self, run: RunId, count: int) -> list[str]:
        """Return where ``count`` directories are mounted for ``run``, or would be."""
        place = self._places.path(run)
        return [str(place / str(number)) for number in range(count)]

    def make(self, run: RunId, directories: Sequence[str], maps: IdMaps) -> list[str]:
        """Mount directories of the host's for ``run``, and return where each is. Blocks."""
        place = self._places.make(run)
        binds = dict(zip(self.paths(run, len(directories)), directories, strict=True))
        for number in range(len(directories)):
            (place / str(number)).mkdir(mode=0o700)
        self._kernel.mapped(binds, maps)
        return list(binds)

    def list(self) -> list[RunId]:
        """Return the runs that have some, mounted or not."""
        return self._places.runs()

    def remove(self, run: RunId) -> bool:
        """Unmount those of ``run``, and return whether there was anything."""
        return self._places.clear(run)
