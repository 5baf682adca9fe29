"""A containerd in this process: a real server on a real socket, with everything in memory.

It behaves as containerd 1.6 does where moored can see it; ``tests/contract`` holds both to the
same cases. Nothing runs in it: pids are larger than any kernel gives, and a process ends when
a test or a signal says so. What goes wrong is scripted with ``lose``, ``refuse`` and ``hold``.
"""

from __future__ import annotations

import shutil
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import grpc.aio

from moored.containerd_api import (
    containers_pb2_grpc,
    content_pb2_grpc,
    diff_pb2_grpc,
    events_pb2_grpc,
    images_pb2_grpc,
    introspection_pb2_grpc,
    leases_pb2_grpc,
    namespaces_pb2_grpc,
    snapshots_pb2_grpc,
    task_events_pb2,
    tasks_pb2_grpc,
    version_pb2_grpc,
)
from tests.fakes.collector import collect, unheld
from tests.fakes.content import Content
from tests.fakes.diff import Diff
from tests.fakes.events import Events
from tests.fakes.execs import end as end_exec
from tests.fakes.faults import Faults, Hold, Interceptor, Loss
from tests.fakes.images import Images
from tests.fakes.itself import Introspection, Version
from tests.fakes.kernel import FakeKernel
from tests.fakes.metadata import Containers, Leases, Namespaces
from tests.fakes.snapshots import Snapshots
from tests.fakes.store import Inventory, Store
from tests.fakes.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import datetime

    from google.protobuf.message import Message
    from grpc import StatusCode

    from tests.fakes.execs import Exec
    from tests.fakes.store import Namespace, Task

_OPTIONS: Final = (("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", 16 * 1024 * 1024))


class FakeContainerd:
    """``path`` is the socket's; root and state are made beside it, and removed at the end."""

    def __init__(self, path: Path | str, *, now: Callable[[], datetime] | None = None) -> None:
        self.path: Final = Path(path)
        self.root: Final = self.path.with_suffix(".root")
        self.state: Final = self.path.with_suffix(".state")
        self.kernel: Final = FakeKernel()
        """Of the host that it runs on."""
        self.greedy = False
        """Collect garbage after each call."""
        self.heard: Final[dict[str, str]] = {}
        """The trace context that the last call of each method came with: ``Tasks.Create``."""
        self._store: Final = Store(self.root, self.state, now)
        self._faults: Final = Faults(self._store.tell, self._served)
        self._tasks: Final = Tasks(self._store, self._faults)
        self._content: Final = Content(self._store, self._faults)
        self._version: Final = Version()
        self._server: grpc.aio.Server | None = None

    @classmethod
    @asynccontextmanager
    async def serving(
        cls, path: Path | str, *, now: Callable[[], datetime] | None = None
    ) -> AsyncIterator[FakeContainerd]:
        fake = cls(path, now=now)
        try:
            await fake.restart()
            yield fake
        finally:
            fake.forgive()
            await fake.stop()
            fake.path.unlink(missing_ok=True)
            for place in (fake.root, fake.state):
                shutil.rmtree(place, ignore_errors=True)

    @property
    def address(self) -> str:
        return str(self.path)

    # What goes wrong.

    def lose(self, what: Loss, call: str, *, times: int = 1) -> None:
        """Lose a call's request (it never happens) or reply (it happens, nobody hears).

        Tasks.Create can also lose its "middle" (containerd killed in mid-create) or its
        "cleanup" (a bundle without anybody who knows of it).
        """
        self._faults.lose(what, call, times=times)

    def refuse(
        self, call: str, code: StatusCode, details: str = "refused", *, times: int = 1
    ) -> None:
        self._faults.refuse(call, code, details, times=times)

    def hold(self, call: str, *, times: int = 1, after: bool = False) -> Hold:
        """Stop calls before their deed; with ``after``, when it is done and nobody knows."""
        return self._faults.hold(call, times=times, after=after)

    def forgive(self) -> None:
        """Drop the script, and let everybody go on."""
        self._faults.forgive()

    async def stop(self) -> None:
        """Be down: calls end, connections break, and processes run on."""
        if self._server is not None:
            server, self._server = self._server, None
            await server.stop(None)

    async def restart(self) -> None:
        """Be back, or be there for the first time, with all that there was."""
        await self.stop()
        self._server = grpc.aio.server(
            interceptors=[Interceptor(self._faults, self.heard)], options=_OPTIONS
        )
        self._serve(self._server)
        self._server.add_insecure_port(f"unix:{self.path}")
        await self._server.start()

    # What processes do.

    def exit(self, run: str, status: int = 0, *, at: datetime | None = None) -> None:
        """Let a task's process end by itself, also while containerd is down."""
        space, task = self._find(run)
        if not task.alive:
            raise LookupError(f"cannot end task {run!r}: it has exited")
        self._tasks.end(space, task, status, at)

    def signal(self, run: str, signal: int) -> None:
        """Let a signal that somebody else sent arrive."""
        self._tasks.signal(*self._find(run), signal)

    def deafen(self, *signals: int, run: str | None = None) -> None:
        """Let a task, or all tasks made from now on, ignore some signals."""
        if run is None:
            self._tasks.deaf_to = frozenset(signals)
        else:
            self._find(run)[1].deaf_to = frozenset(signals)

    def exec(self, run: str, exec_id: str) -> Exec:
        """Return an exec, as far as it can be seen."""
        return self._find(run)[1].execs[exec_id]

    def end_exec(self, run: str, exec_id: str, status: int = 0) -> None:
        """Let an exec's process end by itself."""
        end_exec(self._store, self.exec(run, exec_id), status)

    def task(self, run: str) -> Task:
        return self._find(run)[1]

    def kill_shim(self, run: str) -> None:
        self._tasks.lose_shim(*self._find(run))

    def oom(self, run: str) -> None:
        """Tell that a process ran out of memory. Whether it dies of it is another matter."""
        space, _ = self._find(run)
        event = task_events_pb2.TaskOOM(container_id=run)
        self._store.bus.announce(space.name, "/tasks/oom", event)

    def announce(self, topic: str, event: Message, *, namespace: str = "moorage") -> None:
        """Publish something, true or false."""
        self._store.bus.announce(namespace, topic, event)

    def collect(self) -> None:
        """Let the collector take all that nothing holds."""
        collect(self._store)

    # What can be seen.

    @property
    def story(self) -> list[str]:
        """What happened, in order: a sign, a noun, a name.

        ``+`` made, ``-`` gone, ``>`` started, ``.`` exited, ``=`` filled, ``*`` collected,
        ``?`` asked to go and not there, ``!`` a fault, such as ``!task.create``.
        """
        return self._store.story

    def plot(self) -> str:
        """Return the story without the names."""
        return " ".join(line.split(" ")[0] for line in self._store.story)

    def inventory(self) -> Inventory:
        return self._store.inventory()

    def unheld(self) -> frozenset[str]:
        """Return what the collector would take: ``<namespace>/<layer or digest>``."""
        return frozenset(
            f"{space.name}/{name}"
            for space in self._store.namespaces.values()
            for names in unheld(space)
            for name in names
        )

    def pid(self, run: str) -> int:
        return self._find(run)[1].process.pid

    def waiters(self, run: str) -> int:
        """Return how many wait for a task to end."""
        return self._find(run)[1].waiters

    def subscribers(self) -> int:
        return len(self._store.bus.subscribers)

    def ingests(self) -> frozenset[str]:
        """Return what was written and not committed: ``<namespace>/<ref>``."""
        return frozenset("/".join(key) for key in self._content.ingests)

    def call_itself(self, version: str) -> None:
        """Answer another version from now on."""
        self._version.version = version

    def _find(self, run: str) -> tuple[Namespace, Task]:
        for space in self._store.namespaces.values():
            if run in space.tasks:
                return space, space.tasks[run]
        raise LookupError(f"cannot find task {run!r}")

    def _served(self) -> None:
        if self.greedy:
            collect(self._store)

    def _serve(self, server: grpc.aio.Server) -> None:
        store = self._store
        tasks_pb2_grpc.add_TasksServicer_to_server(self._tasks, server)
        content_pb2_grpc.add_ContentServicer_to_server(self._content, server)
        version_pb2_grpc.add_VersionServicer_to_server(self._version, server)
        containers_pb2_grpc.add_ContainersServicer_to_server(Containers(store), server)
        diff_pb2_grpc.add_DiffServicer_to_server(Diff(store), server)
        events_pb2_grpc.add_EventsServicer_to_server(Events(store.bus), server)
        images_pb2_grpc.add_ImagesServicer_to_server(Images(store), server)
        introspection_pb2_grpc.add_IntrospectionServicer_to_server(Introspection(store), server)
        leases_pb2_grpc.add_LeasesServicer_to_server(Leases(store), server)
        namespaces_pb2_grpc.add_NamespacesServicer_to_server(Namespaces(store), server)
        snapshots_pb2_grpc.add_SnapshotsServicer_to_server(Snapshots(store), server)
