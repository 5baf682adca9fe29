"""Sandboxes: the network namespace of each run that has one of its own, held by descriptor.

A runtime is given ``/proc/<our pid>/fd/N``. Once the run's process is in it, it does not depend on
us: the kernel frees a namespace when neither a process nor a descriptor is in it any more.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from moored.network import namespaces
from moored.uninterrupted import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from moored.model.identity import RunId


class Sandbox:
    """A namespace that is open as long as its run may need it."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    @property
    def path(self) -> str:
        """Where others find it, as long as this process lives."""
        return f"/proc/{os.getpid()}/fd/{self.descriptor}"


class Sandboxes:
    def __init__(self) -> None:
        self._held: dict[RunId, Sandbox] = {}

    async def make(self, run: RunId, prepare: Callable[[], None]) -> Sandbox:
        """Make the namespace of a run, and let ``prepare`` run in it before anybody sees it."""

        def made() -> Sandbox:
            return self._hold(run, namespaces.make(prepare))

        return await in_thread(made)

    async def adopt(self, run: RunId, pid: int) -> Sandbox:
        """Hold the namespace that the runtime made for a run, whose first process is ``pid``."""

        def opened() -> Sandbox:
            return self._hold(run, os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC))

        return await in_thread(opened)

    def get(self, run: RunId) -> Sandbox | None:
        return self._held.get(run)

    def close(self, run: RunId) -> bool:
        """Let go of a run's namespace, and return whether it was held."""
        sandbox = self._held.pop(run, None)
        if sandbox is not None:
            os.close(sandbox.descriptor)
        return sandbox is not None

    def _hold(self, run: RunId, descriptor: int) -> Sandbox:
        self.close(run)
        sandbox = self._held[run] = Sandbox(descriptor)
        return sandbox
