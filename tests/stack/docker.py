"""A dockerd of a test's own that leaves the host's network alone, and docker compose for it."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Final, Self

from tests.outside import kernel
from tests.real.deadlines import until

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_START_WITHIN: Final = 60.0
_END_WITHIN: Final = 60.0
_CALL_WITHIN: Final = 120.0


class Docker:
    """Runs while it is entered. All that it holds is below ``home``, which is the caller's."""

    def __init__(self, home: Path, compose: Path) -> None:
        self._home = home
        self._compose = compose
        self._address = f"unix://{home}/d.sock"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._home.mkdir(parents=True)
        empty = self._home / "none.json"
        empty.write_text("{}")
        command = [
            *("dockerd", "--host", self._address, "--pidfile", str(self._home / "pid")),
            *("--data-root", str(self._home / "root"), "--exec-root", str(self._home / "state")),
            *("--bridge=none", "--iptables=false", "--ip-masq=false"),
            *("--config-file", str(empty)),
        ]
        with (self._home / "log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        until(self._answers, "dockerd answers", within=_START_WITHIN)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(_END_WITHIN)
        for point in sorted(kernel.mounts(self._home), reverse=True):
            subprocess.run(["umount", "--lazy", point], check=True, timeout=_END_WITHIN)

    def call(
        self, *words: str, within: float = _CALL_WITHIN, stdin: int = subprocess.DEVNULL
    ) -> str:
        """Return what the docker command says."""
        return _run("docker", "--host", self._address, *words, within=within, stdin=stdin)

    def compose(self, *words: str, within: float = _CALL_WITHIN) -> str:
        """Return what docker compose says."""
        environment = {**os.environ, "DOCKER_HOST": self._address, "DOCKER_BUILDKIT": "0"}
        return _run(str(self._compose), *words, within=within, environment=environment)

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError((self._home / "log").read_text()[-2000:])
        try:
            self.call("version")
        except AssertionError:
            return False
        return True


def _run(
    *words: str,
    within: float,
    stdin: int = subprocess.DEVNULL,
    environment: dict[str, str] | None = None,
) -> str:
    done = subprocess.run(
        words,
        stdin=stdin,
        capture_output=True,
        text=True,
        timeout=within,
        env=environment,
        check=False,
    )
    said = f"{done.stdout}{done.stderr}"
    assert done.returncode == 0, f"{' '.join(words)} ended with {done.returncode}:\n{said}"
    return done.stdout
