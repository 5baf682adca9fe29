"""The directories that containerd and a shim keep for one run, and whatever else outlives it.

containerd removes them with the task. What it leaves, after it or a shim was killed at the
wrong moment, is removed here: once the task is gone, and nobody else but us will.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

from moored import errors
from moored.containerd import endings, traces
from moored.uninterrupted import in_thread

if TYPE_CHECKING:
    from moored.containerd.places import Places
    from moored.containerd.traces import Traces

SETTLE_LIMIT: Final = 1.0
"""Seconds that containerd has to clean up by itself."""
REMOVE_LIMIT: Final = 5.0
_PAUSE: Final = 0.005
"""Seconds between two looks. No event tells when containerd or the kernel is done."""


class Bundles:
    def __init__(
        self,
        places: Places,
        *,
        namespace: str,
        settle: float = SETTLE_LIMIT,
        limit: float = REMOVE_LIMIT,
    ) -> None:
        self._places = places
        self._namespace = namespace
        self._settle = settle
        self._limit = limit

    async def remove(self, run: str, *, cgroup: str = "", task_deleted: bool = False) -> bool:
        """Remove all that a run left behind, and return whether that was anything.

        Only for a run whose task is gone: its shim and its processes are killed, if any live.
        ``cgroup`` is where they are, unless that is in the namespace's own.
        ``task_deleted`` is for a run whose task containerd has just deleted in good order: then
        nobody is left that nothing shows, and the look at every process is saved.
        """
        left = traces.of_run(self._places, self._namespace, run, cgroup)
        if not await in_thread(left.shows if task_deleted else left.any):
            return False
        try:
            await _settled(left, self._settle)
            async with asyncio.timeout(self._limit):
                await _remove_until_gone(left)
        except (OSError, TimeoutError) as error:
            raise errors.RuntimeRefused(
                f"cannot remove bundle {run!r}: {await _why(left, error)}", run=run
            ) from error
        return True

    async def list(self) -> list[str]:
        """Return the runs that have left something: a bundle, whole or in part, what the runtime
        remembers, or a shim that works in a bundle, whether that is still there or not.
        """
        return await in_thread(partial(traces.runs, self._places, self._namespace))


async def _settled(left: Traces, within: float) -> None:
    """Let containerd finish: it takes down by itself a task whose creation was given up."""
    for _ in range(int(within / _PAUSE)):
        if not await in_thread(left.has_bundle):
            return
        await asyncio.sleep(_PAUSE)


async def _remove_until_gone(left: Traces) -> None:
    while True:
        found = await in_thread(left.processes)
        await in_thread(left.thaw)
        await asyncio.gather(*(endings.kill(process, "a process of a run") for process in found))
        refusal = await in_thread(partial(_attempt, left))
        if refusal is None and not await in_thread(left.any):
            return
        # Somebody who was just killed has yet to leave its cgroup, or had just made something.
        await asyncio.sleep(_PAUSE)


def _attempt(left: Traces) -> OSError | None:
    try:
        left.remove()
    except OSError as error:
        return error
    return None


async def _why(left: Traces, error: Exception) -> str:
    members = await in_thread(left.members)
    if members:
        return f"processes {', '.join(map(str, members))} do not go away"
    refusal = await in_thread(partial(_attempt, left))
    return str(refusal or error) or "it comes back"
