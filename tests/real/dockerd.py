"""A real dockerd in a machine of a test: its own root, state, socket and network namespace."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from tests.outside import kernel, processes
from tests.real.deadlines import until
from tests.real.machines import command

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from tests.real.machines import Machine

_START_WITHIN: Final = 30.0
_END_WITHIN: Final = 30.0
_ANSWER_WITHIN: Final = 60.0


class Dockerd:
    """Runs while it is entered, and leaves nothing."""

    def __init__(self, machine: Machine, directory: Path) -> None:
        self._machine = machine
        self._directory = directory
        self._log = directory / "log"
        self._socket = directory / "d.sock"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Dockerd:
        options = {
            "--data-root": self._directory / "root",
            "--exec-root": self._directory / "state",
            "--pidfile": self._directory / "pid",
            "--host": f"unix://{self._socket}",
            "--storage-driver": "vfs",
        }
        words = [word for option, value in options.items() for word in (option, str(value))]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._machine.entering, "dockerd", *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(self._answers, "dockerd answers", within=_START_WITHIN)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process is not None
        with suppress(RuntimeError):
            for container in self.call("ps", "--all", "--quiet").split():
                self.call("rm", "--force", container)
        self._process.terminate()
        self._process.wait(_END_WITHIN)
        for pid in processes.naming(str(self._directory)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for point in sorted(kernel.mounts(self._directory), reverse=True):
            command("umount", "--lazy", point)

    def call(self, *words: str) -> str:
        """Return what the docker command says."""
        return command("docker", "--host", f"unix://{self._socket}", *words, within=_ANSWER_WITHIN)

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(self._log.read_text(errors="replace")[-2000:])
        try:
            self.call("version")
        except RuntimeError:
            return False
        return True
