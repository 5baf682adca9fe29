"""A private containerd: its own root, state and socket, and nothing of the system's.

It runs in a session of its own and outlives the service, as its containers do: it is found
again by what its pid file says, or by who listens on its socket. Only ``stop`` ends it.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import threading
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from moored import errors
from moored.containerd import endings, programs, sockets
from moored.containerd.connection import Connection
from moored.containerd.places import Places
from moored.containerd.versions import server_version
from moored.oci import processes
from moored.uninterrupted import in_thread

if TYPE_CHECKING:
    from moored.oci.processes import ProcessIdentity

START_LIMIT: Final = 30.0
STOP_LIMIT: Final = 10.0
_LARGEST_LOG: Final = 16 * 1024 * 1024

_CONFIG: Final = """\
# Written by moored at each start of this containerd. Changes are lost.
version = 2
root = "{root}"
state = "{state}"
required_plugins = [
  "io.containerd.grpc.v1.tasks",
  "io.containerd.snapshotter.v1.overlayfs",
]
disabled_plugins = [
  "io.containerd.cri.v1.images",
  "io.containerd.cri.v1.runtime",
  "io.containerd.grpc.v1.cri",
  "io.containerd.internal.v1.opt",
  "io.containerd.internal.v1.restart",
  "io.containerd.internal.v1.tracing",
  "io.containerd.monitor.container.v1.restart",
  "io.containerd.monitor.task.v1.cgroups",
  "io.containerd.monitor.v1.cgroups",
  "io.containerd.nri.v1.nri",
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.blockfile",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.erofs",
  "io.containerd.snapshotter.v1.native",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp",
]

[grpc]
  address = "{socket}"

[ttrpc]
  address = "{ttrpc}"

[debug]
  level = "info"

[metrics]
  address = ""
"""


class Embedded:
    """The containerd below ``<root>/containerd`` and ``<state>/containerd``, running or not."""

    def __init__(self, root: Path, state: Path, *, program: str = "containerd") -> None:
        self._program = program
        self.root: Final = root.absolute() / "containerd"
        """What it keeps: content, layers, records."""
        self.place: Final = state.absolute() / "containerd"
        self.state: Final = self.place / "state"
        """What it has of running tasks."""
        self.address: Final = str(self.place / "containerd.sock")
        self.places: Final = Places(self.address, self.root, self.state)
        self._ttrpc = self.place / "ttrpc.sock"
        self._config = self.place / "containerd.toml"
        self._log = self.place / "log"
        self._pid_file = self.place / "pid"
        self._reaper: threading.Thread | None = None

    def running(self) -> bool:
        return self.process() is not None

    def process(self) -> ProcessIdentity | None:
        """Return who it is, if it runs."""
        return self._noted() or self._listening()

    async def start(self, within: float = START_LIMIT) -> str:
        """Return the address of the living one, started now unless it runs already."""
        sockets.check(self.address)
        try:
            async with asyncio.timeout(within):
                found = await in_thread(self.process)
                # One that was found may be about to end; one of our own that ends is an error.
                if found is None or not await self._answers(found, within):
                    await self._start_new(within)
        except TimeoutError as late:
            raise errors.SetupRefused(
                f"cannot start containerd: it has not answered in {within:g} s; see {self._log}"
            ) from late
        return self.address

    async def _start_new(self, within: float) -> None:
        try:
            process = await in_thread(self._spawn)
        except OSError as error:
            raise errors.SetupRefused(f"cannot start containerd: {error}") from error
        if not await self._answers(process, within):
            raise errors.SetupRefused(
                f"cannot start containerd: {await in_thread(self._last_words)}"
            )

    async def stop(self, within: float = STOP_LIMIT) -> bool:
        """End it, and return whether it ran; killed, if it takes longer. Its containers go on."""
        process = self.process()
        if process is not None:
            await endings.end(process, "containerd", within=within)
        await in_thread(self._forget)
        return process is not None

    async def _answers(self, process: ProcessIdentity, within: float) -> bool:
        """Wait until it answers (and note it), or has ended, whichever comes first."""
        connection = Connection(self.address, namespace="moorage")
        answer = asyncio.ensure_future(server_version(connection, within=2 * within))
        end = asyncio.ensure_future(processes.wait_gone(process, within=2 * within))
        try:
            await asyncio.wait({answer, end}, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                await answer
                await in_thread(partial(self._note, process))
            return answer.done()
        finally:
            answer.cancel()
            end.cancel()
            await asyncio.gather(answer, end, return_exceptions=True)
            await connection.close()

    def _noted(self) -> ProcessIdentity | None:
        try:
            pid, ticks, boot = self._pid_file.read_text().split()
            noted = processes.ProcessIdentity(int(pid), int(ticks), boot)
        except (OSError, ValueError):
            return None
        return noted if processes.is_alive(noted) else None

    def _listening(self) -> ProcessIdentity | None:
        """Return who listens, for when a service died before it could note the process."""
        pid = sockets.listener(self.address)
        return processes.identity(pid) if pid else None

    def _note(self, process: ProcessIdentity) -> None:
        fresh = self._pid_file.with_suffix(".new")
        fresh.write_text(f"{process.pid} {process.start_ticks} {process.boot_id}\n")
        fresh.replace(self._pid_file)

    def _spawn(self) -> ProcessIdentity:
        binary = self._binary()
        for directory in (self.root, self.place):
            directory.mkdir(mode=0o711, parents=True, exist_ok=True)
        self._write_config()
        with suppress(FileNotFoundError):
            if self._log.stat().st_size > _LARGEST_LOG:
                self._log.replace(self._log.with_suffix(".old"))
        with self._log.open("ab") as log:
            child = subprocess.Popen(
                [binary, "--config", str(self._config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=programs.environment(),
                umask=0o022,
                start_new_session=True,
            )
        process = processes.identity(child.pid)
        # A child of ours that has ended stays a zombie until somebody asks; this one does.
        self._reaper = threading.Thread(target=child.wait, name="containerd reaper", daemon=True)
        self._reaper.start()
        if process is None:
            raise errors.SetupRefused(f"cannot start containerd: {self._last_words()}")
        self._note(process)
        return process

    def _binary(self) -> str:
        found = programs.find(self._program)
        if found is None:
            raise errors.SetupRefused(
                f"cannot start containerd: there is no program {self._program!r} in the PATH;"
                " install it (Debian: apt-get install containerd runc),"
                " or name the socket of a running one"
            )
        return found

    def _write_config(self) -> None:
        text = _CONFIG.format(
            root=_quoted(self.root),
            state=_quoted(self.state),
            socket=_quoted(self.address),
            ttrpc=_quoted(self._ttrpc),
        )
        self._config.write_text(text)

    def _last_words(self) -> str:
        """Return the last that it logged, in one line."""
        with suppress(OSError):
            lines = self._log.read_text(errors="replace").splitlines()
            if lines:
                return f"it ended with {lines[-1][-500:]!r}; see {self._log}"
        return f"it ended without a word; see {self._log}"

    def _forget(self) -> None:
        for path in (Path(self.address), self._ttrpc, self._pid_file, self._config):
            path.unlink(missing_ok=True)


def _quoted(path: object) -> str:
    """Return ``path`` as it stands between quotes in TOML."""
    return json.dumps(str(path), ensure_ascii=False)[1:-1]
