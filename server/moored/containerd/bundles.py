"""The directories that containerd and a shim keep for one run, and whatever else outlives it.

containerd removes them with the task. What it leaves, after it or a shim was killed at the
wrong moment, is removed here: once the task is gone, and nobody else but us will.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from moored import errors
from moored.containerd import endings, traces
from moored.uninterrupted import in_thread

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from moored.containerd.places import Places
    from moored.containerd.traces import Traces

_ROUNDS: Final = 200
"""Of killing: a runtime that is killed may just have made another process."""
_PAUSE: Final = 0.005
"""Seconds between two looks at a cgroup for the last of its dead."""


class Bundles:
    def __init__(self, places: Places, *, namespace: str) -> None:
        self._places = places
        self._namespace = namespace

    async def remove(self, run: str) -> bool:
        """Remove all that a run left behind, and return whether that was anything.

        Only for a run whose task is gone: its shim and its processes are killed, if any live.
        """
        left = traces.of_run(self._places, self._namespace, run)
        if not await in_thread(left.any):
            return False
        await _end_processes(left, run)
        try:
            await in_thread(left.remove)
        except OSError as error:
            raise errors.RuntimeRefused(
                f"cannot remove bundle {run!r}: {error}", run=run
            ) from error
        return True

    async def list(self) -> list[str]:
        """Return the runs that have a bundle, whole or in part."""
        directories = traces.bundle_directories(self._places, self._namespace)
        return await in_thread(partial(_names, directories))


async def _end_processes(left: Traces, run: str) -> None:
    for _ in range(_ROUNDS):
        found = await in_thread(left.processes)
        if found:
            await in_thread(left.thaw)
            await asyncio.gather(*(endings.kill(process, f"run {run!r}") for process in found))
        elif await in_thread(left.members):
            await asyncio.sleep(_PAUSE)  # dead, and the kernel has yet to take them off the list
        else:
            return
    pids = ", ".join(map(str, await in_thread(left.members)))
    raise errors.RuntimeRefused(
        f"cannot remove bundle {run!r}: its processes {pids} do not go away", run=run
    )


def _names(directories: Iterable[Path]) -> list[str]:
    found: set[str] = set()
    for directory in directories:
        with suppress(FileNotFoundError):
            found.update(name.removeprefix(traces.DYING) for name in os.listdir(directory))
    return sorted(found)
