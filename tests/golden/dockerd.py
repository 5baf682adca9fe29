"""A dockerd of a test's own: its root, its sockets and its containerd are nobody else's."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_START_WITHIN: Final = 60.0
_END_WITHIN: Final = 30.0
_CALL_WITHIN: Final = 60.0
_OK: Final = 300
_RUNTIME: Final = "taker"
_SCRIPT: Final = """\
#!/bin/sh
while [ $# -gt 0 ]; do
    [ "$1" != --bundle ] || cp "$2/config.json" {taken}
    shift
done
exit 1
"""


class Dockerd:
    def __init__(self, home: Path, containerd: Path, *, remapped: str = "") -> None:
        """``remapped``: FIRST:COUNT, which ids of the host's all its containers have."""
        self._home = home
        self._socket = home / "docker.sock"
        self._taken = home / "taken.json"
        home.mkdir(parents=True, exist_ok=True)
        runtime = home / "runtime"
        runtime.write_text(_SCRIPT.format(taken=self._taken))
        runtime.chmod(0o755)
        (home / "none.json").write_text("{}")
        command = [
            *("dockerd", "--host", f"unix://{self._socket}", "--pidfile", str(home / "pid")),
            *("--data-root", str(home / "root"), "--exec-root", str(home / "exec")),
            *("--containerd", str(containerd), "--containerd-namespace", "golden"),
            *("--containerd-plugins-namespace", "golden-plugins"),
            *("--bridge", "none", "--iptables=false", "--ip-masq=false"),
            *("--config-file", str(home / "none.json"), "--add-runtime", f"{_RUNTIME}={runtime}"),
        ]
        if remapped:
            command = [*_with_ids(home, remapped), *command, "--userns-remap", "nobody:nogroup"]
        with (home / "log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)

    def __enter__(self) -> Self:
        until = time.monotonic() + _START_WITHIN
        while time.monotonic() < until and self._process.poll() is None:
            try:
                self.call("GET", "/_ping")
            except OSError:
                self._wait_a_moment()
            else:
                return self
        said = (self._home / "log").read_text()[-2000:]
        self._end()
        raise RuntimeError(f"dockerd did not start: {said}")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def _end(self) -> None:
        self._process.terminate()
        self._process.wait(_END_WITHIN)
        # It leaves the namespace of containers without a network mounted.
        for place in (self._home / "exec" / "netns").glob("*"):
            subprocess.run(["umount", str(place)], check=False, capture_output=True, timeout=10)
        shutil.rmtree(self._home, ignore_errors=True)

    def _wait_a_moment(self) -> None:
        try:
            self._process.wait(0.1)
        except subprocess.TimeoutExpired:
            return

    def call(self, method: str, path: str, body: bytes = b"", kind: str = "json") -> bytes:
        connection = http.client.HTTPConnection("localhost", timeout=_CALL_WITHIN)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(_CALL_WITHIN)
        try:
            connection.sock.connect(str(self._socket))
            connection.request(method, path, body, {"Content-Type": f"application/{kind}"})
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.status >= _OK:
            raise RuntimeError(f"{method} {path}: {answer.status} {content.decode()}")
        return content

    def load(self, archive: Path) -> None:
        self.call("POST", "/images/load", archive.read_bytes(), "x-tar")

    def runtime_spec(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the runtime spec that a start would run, as its runtime is told to.

        That runtime only takes it down and refuses: nothing runs, whatever was asked for.
        """
        request["HostConfig"]["Runtime"] = _RUNTIME
        made = json.loads(self.call("POST", "/containers/create", json.dumps(request).encode()))
        try:
            with suppress(RuntimeError):
                self.call("POST", f"/containers/{made['Id']}/start")
            spec: dict[str, Any] = json.loads(self._taken.read_text())
            self._taken.unlink()
            return spec
        finally:
            self.call("DELETE", f"/containers/{made['Id']}?force=true")


def _with_ids(home: Path, remapped: str) -> list[str]:
    """Return what executes a command for which nobody has these ids to give, and for no other."""
    file = home / "ids"
    file.write_text(f"nobody:{remapped}\nnogroup:{remapped}\n")
    script = f'for it in uid gid; do mount --bind {file} /etc/sub$it; done; exec "$@"'
    return ["unshare", "--mount", "sh", "-ec", script, "sh"]
