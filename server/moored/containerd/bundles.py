"""The directories that containerd and a shim keep for one run.

containerd removes them with the task. What it leaves, after it or a shim was killed at the
wrong moment, is removed here: once the task is gone, and nobody else but us will.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from moored import errors
from moored.containerd import endings, mounts
from moored.oci import processes
from moored.uninterrupted import in_thread

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from moored.containerd.places import Places
    from moored.oci.processes import ProcessIdentity

_TASKS: Final = "io.containerd.runtime.v2.task"
_SHIM: Final = "containerd-shim"


class Bundles:
    def __init__(self, places: Places, *, namespace: str) -> None:
        self._directories = tuple(
            place / _TASKS / namespace for place in (places.state, places.root)
        )

    async def remove(self, run: str) -> bool:
        """Remove what is left of a run's bundle, and return whether anything was.

        Only for a run whose task is gone: a shim that is still there serves nobody, and is
        killed.
        """
        if "/" in run or run in ("", ".", ".."):
            raise ValueError(f"cannot remove bundle {run!r}: it is no name of a run")
        places = [directory / run for directory in self._directories]
        if not await in_thread(partial(_any_left, places)):
            return False
        for shim in await in_thread(partial(_shims, places)):
            await endings.kill(shim, f"the shim of {run!r}")
        try:
            await in_thread(partial(_remove_all, places))
        except OSError as error:
            raise errors.RuntimeRefused(
                f"cannot remove bundle {run!r}: {error}", run=run
            ) from error
        return True

    async def list(self) -> list[str]:
        """Return the runs that have one, whole or in part."""
        return await in_thread(partial(_names, self._directories))


def _names(directories: Iterable[Path]) -> list[str]:
    found: set[str] = set()
    for directory in directories:
        with suppress(FileNotFoundError):
            found.update(os.listdir(directory))
    return sorted(found)


def _any_left(places: Iterable[Path]) -> bool:
    return any(os.path.lexists(place) for place in places)


def _remove_all(places: Sequence[Path]) -> None:
    for place in places:
        for point in mounts.below(place):
            mounts.unmount(point)
        if left := mounts.below(place):
            raise OSError(f"{left[0]} is still mounted")
        with suppress(FileNotFoundError):
            shutil.rmtree(place)


def _shims(places: Sequence[Path]) -> list[ProcessIdentity]:
    """Return the shims that live in these bundles: the bundle is where a shim works."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        with suppress(OSError):
            works_here = (entry / "cwd").readlink() in places
            if works_here and (entry / "comm").read_text().startswith(_SHIM[:15]):
                shim = processes.identity(int(entry.name))
                found += [shim] if shim else []
    return found
