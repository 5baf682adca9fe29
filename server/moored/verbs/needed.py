"""What a start needs of the rooms below it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from moored.model.sharing import NETWORK

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping, Sequence
    from contextlib import AbstractContextManager

    from moored.containerd.values import ContainerRecord, Mount, Runtime
    from moored.model.identity import ContainerId, RunId
    from moored.model.network import Attached
    from moored.model.state import Snapshot
    from moored.model.users import Identity
    from moored.network.networks import Plan
    from moored.network.sandboxes import Sandbox
    from moored.oci.mounts import Sourced
    from moored.verbs.furnishing import Furnished
    from moored.verbs.joining import Joined


class Tasks(Protocol):
    async def create(
        self,
        run: RunId,
        *,
        runtime: Runtime,
        rootfs: Sequence[Mount],
        stdout: str,
        stderr: str,
        within: float,
        stdin: str = "",
        terminal: bool = False,
        owner: tuple[int, int] = (0, 0),
    ) -> int: ...
    async def start(self, run: RunId, *, within: float) -> int: ...


class Containers(Protocol):
    async def create(self, record: ContainerRecord) -> None: ...


class Layers(Protocol):
    def prepare(
        self, key: str, *, parent: str, labels: Mapping[str, str]
    ) -> Coroutine[Any, Any, list[Mount]]: ...
    async def mounts(self, key: str) -> list[Mount] | None: ...


class Networks(Protocol):
    def planned(self, snapshot: Snapshot, run: int) -> Plan: ...
    def reserved(self, snapshot: Snapshot, run: int) -> AbstractContextManager[Plan]: ...
    async def open(self, snapshot: Snapshot) -> Sandbox: ...
    async def adopt(self, snapshot: Snapshot, pid: int) -> Sandbox: ...
    async def ready(self, snapshot: Snapshot) -> None: ...
    async def attach(self, snapshot: Snapshot, sandbox: Sandbox) -> tuple[Attached, ...]: ...


@dataclass(frozen=True)
class RunFiles:
    """What was written for one run: where its output goes, and what is mounted over /etc."""

    stdout: str
    stderr: str
    mounts: Mapping[str, str]
    stdin: str = ""
    """A FIFO. Empty: it has no stdin."""


@dataclass(frozen=True)
class Prepared:
    """What the runtime spec is made from, beside the container's own."""

    files: RunFiles
    joined: Joined
    furnished: Furnished
    who: Identity | None
    """None: only planned."""
    mounts: Sequence[Sourced] = ()
    sandbox: str = ""
    """Where its network namespace is. Empty: the runtime makes one, or it is joined."""

    @property
    def namespaces(self) -> Mapping[str, str]:
        own = {NETWORK: self.sandbox} if self.sandbox else {}
        return {**self.joined.paths, **own}


class Files(Protocol):
    def write(self, snapshot: Snapshot, run: int, joined: Joined) -> RunFiles: ...
    def introduce(self, snapshot: Snapshot, networks: Sequence[Attached]) -> None: ...
    def planned(self, snapshot: Snapshot, run: int) -> RunFiles: ...


class Watch(Protocol):
    """Whoever waits for the exits of runs."""

    def watch(self, container: ContainerId, run: int) -> None: ...
    async def unwatch(self, container: ContainerId, run: int) -> None: ...
