"""A private containerd: its own root, state and socket, and nobody else's business.

Serves several moored side by side, each in its own namespace. ``dismantle`` removes all that
it ever held, whatever state the tests left it in.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.outside import kernel, processes
from tests.outside.containerd import Address, ctr, shim_sockets, task_list
from tests.real.deadlines import until

if TYPE_CHECKING:
    from collections.abc import Iterable

_START_WITHIN: Final = 20.0
_END_WITHIN: Final = 20.0
_RUNTIME_STATES: Final = Path("/run/containerd/runc")

_CONFIG: Final = """\
version = 2
root = "{root}"
state = "{state}"
disabled_plugins = [
  "io.containerd.grpc.v1.cri",
  "io.containerd.internal.v1.opt",
  "io.containerd.internal.v1.restart",
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.native",
  "io.containerd.snapshotter.v1.zfs",
]
[grpc]
  address = "{socket}"
[debug]
  level = "info"
"""


class Containerd:
    def __init__(self, directory: Path) -> None:
        self.programs: Path | None = None
        """Where it and its shims are from the next start on; None: on the PATH."""
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        self._config = directory / "containerd.toml"
        self.address: Final = Address(
            socket=str(directory / "c.sock"),
            root=directory / "root",
            state=directory / "state",
            log=directory / "log",
        )

    @functools.cached_property
    def series(self) -> tuple[int, int]:
        """Return its major and minor version, such as 1 and 6."""
        said = ctr(self.address, "default", "version")
        major, minor = said.rpartition("Version:")[2].split()[0].lstrip("v").split(".")[:2]
        return int(major), int(minor)

    @property
    def pid(self) -> int:
        return self._running.pid

    def start(self) -> None:
        """Start it, or start it again with all that it had."""
        if self._process is not None:  # it ended by itself
            self._process.wait(_END_WITHIN)
        address = self.address
        self._config.write_text(
            _CONFIG.format(root=address.root, state=address.state, socket=address.socket)
        )
        with address.log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "--config", str(self._config)],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(self._answers, "containerd answers", within=_START_WITHIN)

    def pause(self) -> None:
        """Stop its every thread: it accepts what arrives, and answers nothing."""
        self._running.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._running.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it without warning; its shims and containers go on."""
        self._running.kill()
        self._running.wait(_END_WITHIN)
        self._process = None

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def recover(self) -> None:
        """Make it run, whatever was done to it."""
        if self.is_running():
            self.resume()
        else:
            self.start()

    def stop(self) -> None:
        self._running.terminate()
        self._running.wait(_END_WITHIN)
        self._process = None

    def dismantle(self, instances: Iterable[str]) -> None:
        """Stop it, and remove whatever it and its shims still hold."""
        if self.is_running():
            self.resume()
            self.kill()
        names = frozenset(instances)
        for pid in (*kernel.grouped_processes(names), *_shims(self.address.socket)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for point in sorted(kernel.mounts(self._directory), reverse=True):
            subprocess.run(["umount", "--lazy", point], check=True, timeout=_END_WITHIN)
        for stale in shim_sockets(self.address):
            Path(stale.split(" ")[0]).unlink(missing_ok=True)
        for name in names:
            shutil.rmtree(_RUNTIME_STATES / name, ignore_errors=True)
            _remove_cgroups(name)
        shutil.rmtree(self._directory)

    @property
    def _program(self) -> str:
        return str(self.programs / "containerd") if self.programs else "containerd"

    @property
    def _environment(self) -> dict[str, str]:
        path = os.environ["PATH"]
        return {**os.environ, "PATH": f"{self.programs}:{path}" if self.programs else path}

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise LookupError("containerd does not run")
        return self._process

    def _answers(self) -> bool:
        if self._running.poll() is not None:
            tail = self.address.log.read_text(errors="replace")[-2000:]
            raise RuntimeError(f"containerd ended: {tail}")
        try:
            ctr(self.address, "default", "version", within=2.0)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            return False
        return True

    def task_ids(self, namespace: str) -> set[str]:
        """Return the tasks in ``namespace`` that have not exited."""
        tasks = task_list(self.address, namespace)
        return {task.id for task in tasks if task.status != "STOPPED"}


def _shims(socket: str) -> set[int]:
    return {pid for pid in processes.naming(socket) if processes.is_alive(pid)}


def _remove_cgroups(name: str) -> None:
    """Remove an instance's cgroups from every hierarchy, once their processes have ended."""
    until(lambda: not kernel.grouped_processes([name]), "cgroups are empty", within=_END_WITHIN)
    for hierarchy in kernel.hierarchies():
        for place, _, _ in os.walk(hierarchy / name, topdown=False):
            Path(place).rmdir()
