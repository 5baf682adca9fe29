"""A containerd for one test, with a layer to run programs from, and nothing left afterwards."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
import uuid
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from moored.containerd.bundles import Bundles
from moored.containerd.connection import Connection
from moored.containerd.containers import Containers
from moored.containerd.embedded import Embedded
from moored.containerd.layers import Layers
from moored.containerd.tasks import Tasks
from moored.containerd.values import ContainerRecord, Runtime
from moored.model.identity import ContainerId, RunId, run_id
from moored.oci import cgroups

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from moored.containerd.values import Mount

RUNC: Final = Runtime("runc", "runc")
HELD: Final = {"containerd.io/gc.root": "2026-01-01T00:00:00Z"}
WITHIN: Final = 20.0
_BASE: Final = "base"


class Private:
    def __init__(self, directory: Path) -> None:
        self.directory: Final = directory
        self.namespace: Final = f"test-{uuid.uuid4().hex[:8]}"
        self.embedded: Final = Embedded(directory / "root", directory / "state")
        self.connection: Final = Connection(self.embedded.address, namespace=self.namespace)
        self.tasks: Final = Tasks(self.connection)
        self.containers: Final = Containers(self.connection)
        self.layers: Final = Layers(self.connection)
        self.bundles: Final = Bundles(self.embedded.places, namespace=self.namespace)
        self.stdout: Final = directory / "stdout"
        self.stderr: Final = directory / "stderr"
        self._runs: list[RunId] = []

    async def make_base(self) -> None:
        """Make the layer that all runs begin with: busybox, and files that are no programs."""
        mount = (await self.layers.prepare("making", parent="", labels=HELD))[0]
        await asyncio.to_thread(_fill, Path(mount.source))
        await self.layers.commit(_BASE, "making", HELD)

    async def record(
        self,
        command: Sequence[str],
        *,
        mounts: Sequence[dict[str, Any]] = (),
        runtime: Runtime = RUNC,
    ) -> tuple[RunId, list[Mount]]:
        """Make a run, up to its container record."""
        run = run_id(ContainerId(uuid.uuid4().hex), 1)
        self._runs.append(run)
        rootfs = await self.layers.prepare(run, parent=_BASE, labels=HELD)
        spec = json.dumps(_spec(command, mounts, self.cgroup(run))).encode()
        labels = {"moorage/instance": self.namespace}
        await self.containers.create(ContainerRecord(run, "image", run, spec, runtime, labels))
        return run, rootfs

    async def create(
        self, command: Sequence[str], *, runtime: Runtime = RUNC, within: float = WITHIN
    ) -> RunId:
        run, rootfs = await self.record(command, runtime=runtime)
        await self.create_task(run, rootfs, runtime=runtime, within=within)
        return run

    async def create_task(
        self,
        run: RunId,
        rootfs: Sequence[Mount],
        *,
        runtime: Runtime = RUNC,
        within: float = WITHIN,
    ) -> int:
        for output in (self.stdout, self.stderr):
            output.touch()
        return await self.tasks.create(
            run,
            runtime=runtime,
            rootfs=rootfs,
            stdout=str(self.stdout),
            stderr=str(self.stderr),
            within=within,
        )

    def _remove_directories(self) -> None:
        with suppress(FileNotFoundError):
            Path("/run/containerd/runc", self.namespace).rmdir()
        shutil.rmtree(self.directory)

    def cgroup(self, run: str) -> str:
        return f"/{self.namespace}/{run}"

    async def dismantle(self) -> None:
        """Release whatever the test made, and the containerd itself."""
        await self.embedded.start()
        for run in self._runs:
            if await self.tasks.kill(run, 9):
                await self.tasks.wait(run)
            await self.tasks.delete(run)
            await self.layers.remove(run)
            await self.containers.delete(run)
            await self.bundles.remove(run)
            cgroups.remove(self.cgroup(run))
        await self.connection.close()
        await self.embedded.stop()
        cgroups.remove(f"/{self.namespace}")
        await asyncio.to_thread(self._remove_directories)


@asynccontextmanager
async def private() -> AsyncIterator[Private]:
    """Start one, with its base layer."""
    made = Private(Path(tempfile.mkdtemp(prefix="moorage.")))
    try:
        await made.embedded.start()
        await made.make_base()
        yield made
    finally:
        await made.dismantle()


def bind(source: str, destination: str) -> dict[str, Any]:
    return {
        "type": "bind",
        "source": source,
        "destination": destination,
        "options": ["rbind", "ro"],
    }


def _fill(rootfs: Path) -> None:
    for name in ("bin", "etc", "proc"):
        (rootfs / name).mkdir()
    shutil.copy("/bin/busybox", rootfs / "bin/busybox")
    for name in ("sh", "sleep"):
        os.symlink("busybox", rootfs / "bin" / name)
    os.symlink("loop", rootfs / "bin/loop")
    (rootfs / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\n")


def _spec(command: Sequence[str], mounts: Sequence[dict[str, Any]], cgroup: str) -> dict[str, Any]:
    namespaces = ("pid", "ipc", "uts", "mount", "network")
    return {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": 0, "gid": 0},
            "args": list(command),
            "env": ["PATH=/bin"],
            "cwd": "/",
        },
        "root": {"path": "rootfs"},
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}, *mounts],
        "linux": {
            "cgroupsPath": cgroup,
            "namespaces": [{"type": kind} for kind in namespaces],
        },
    }
