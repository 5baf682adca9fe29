"""moored as its users run it: a process of its own, with a socket, a root and a log.

Started by the command line and the environment, watched through its health service, ended by
signals. Nothing of it is imported.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

import grpc
from grpc_health.v1 import health_pb2

from moorage.v1 import image_service_pb2, image_service_pb2_grpc
from tests.outside import processes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

START_WITHIN: Final = 30.0
END_WITHIN: Final = 40.0
"""More than the grace that a daemon under test gets, so that its own deadline comes first."""
_IMPORT_WITHIN: Final = 60.0
_ASK_FOR: Final = 0.25
_CHUNK: Final = 512 * 1024
_TAIL: Final = 20_000
_CHANNEL_OPTIONS: Final = (
    ("grpc.initial_reconnect_backoff_ms", 20),
    ("grpc.min_reconnect_backoff_ms", 20),
    ("grpc.max_reconnect_backoff_ms", 50),
    ("grpc.use_local_subchannel_pool", 1),
)


class Moored:
    """One daemon. ``settings`` are passed on as ``MOORED_*``, beside what has a flag."""

    def __init__(
        self,
        home: Path,
        *,
        containerd: str,
        instance: str,
        settings: Mapping[str, str] | None = None,
        flags: tuple[str, ...] = (),
        host_network: str = "",
    ) -> None:
        """``host_network`` is the path of a network namespace that it takes for the host's."""
        self.home: Final = home
        self.root: Final = home / "root"
        self.state: Final = home / "state"
        self.instance: Final = instance
        self.socket: Final = home / "state" / "moored.sock"
        self.address: Final = f"unix://{self.socket}"
        self.log: Final = home / "log"
        self.variables: dict[str, str] = {}
        """What else its environment has."""
        self.spans_to = ""
        """The address of a collector. Empty: nothing is exported."""
        self.logs_too = False
        """Whether log lines are exported, too."""
        self._containerd = containerd
        self._settings = dict(settings or {})
        self._flags = flags
        self._entering = ("nsenter", f"--net={host_network}") if host_network else ()
        self._process: subprocess.Popen[bytes] | None = None
        self._told = 0
        self._file = home / "moored.toml"
        home.mkdir(parents=True, exist_ok=True)
        self._file.touch()

    @property
    def pid(self) -> int:
        return self._running.pid

    @property
    def command(self) -> list[str]:
        return [
            *self._entering,
            *(sys.executable, "-m", "moored"),
            *("--root", str(self.root), "--state", str(self.state)),
            *("--listen", self.address, "--containerd", self._containerd),
            *self._flags,
        ]

    @property
    def environment(self) -> dict[str, str]:
        """Nothing that this machine's own moored is told reaches it."""
        foreign = {k: v for k, v in os.environ.items() if not k.startswith(("MOORED_", "OTEL_"))}
        own = {f"MOORED_{name.upper()}": value for name, value in self._settings.items()}
        return {
            **foreign,
            "MOORED_CONFIG": str(self._file),
            "MOORED_INSTANCE": self.instance,
            **(_exporting(self.spans_to) if self.spans_to else {}),
            **({"OTEL_LOGS_EXPORTER": "otlp"} if self.logs_too else {}),
            **own,
            **self.variables,
        }

    def reconfigure(self, **settings: str) -> None:
        """Let these settings be others from the next start on."""
        self._settings.update(settings)

    def setting(self, name: str) -> str:
        return self._settings[name]

    def start(self) -> None:
        """Start it, and return once it serves."""
        self.launch()
        self.await_serving()

    def launch(self) -> None:
        """Start it, and leave it to the caller to see what becomes of it."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def await_serving(self) -> None:
        deadline = time.monotonic() + START_WITHIN
        while not self._serves():
            if self._running.poll() is not None:
                raise RuntimeError(f"moored ended with {self._running.returncode}:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"moored does not serve:\n{self.tail()}")

    def terminate(self) -> None:
        """Ask it to end, and do not wait."""
        self._running.terminate()

    def stop(self) -> None:
        """Ask it to end, and expect it to have ended well."""
        self.terminate()
        code = self.await_end()
        assert code == 0, f"moored ended with {code}:\n{self.tail()}"

    def await_end(self, within: float = END_WITHIN) -> int:
        """Return its exit code once it has ended."""
        code = self._running.wait(within)
        self._process = None
        return code

    def kill(self) -> None:
        """End it without warning."""
        self._running.kill()
        self.await_end()

    def restart(self) -> None:
        self.stop()
        self.start()

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def resume(self) -> None:
        """Let it go on that stopped itself."""
        self._running.send_signal(signal.SIGCONT)

    def is_stopped(self) -> bool:
        return self.is_running() and processes.is_stopped(self.pid)

    def import_image(self, archive: Path, name: str = "") -> None:
        """Import ``archive`` through the wire."""
        with _channel(self.address) as channel:
            images = image_service_pb2_grpc.ImageServiceStub(channel)
            images.Import(import_parts(archive, name), timeout=_IMPORT_WITHIN)

    def resident_kilobytes(self) -> int:
        return processes.resident_kilobytes(self.pid)

    def mark(self) -> None:
        """Let ``tail`` begin here."""
        self._told = self.log.stat().st_size if self.log.exists() else 0

    def tail(self) -> str:
        """Return the end of what it logged since the mark."""
        text = self.log.read_bytes()[self._told :] if self.log.exists() else b""
        return text[-_TAIL:].decode(errors="replace")

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise LookupError("moored does not run")
        return self._process

    def _serves(self) -> bool:
        with _channel(self.address) as channel:
            check: grpc.UnaryUnaryMultiCallable[
                health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse
            ] = channel.unary_unary(
                "/grpc.health.v1.Health/Check",
                request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
                response_deserializer=health_pb2.HealthCheckResponse.FromString,
            )
            request = health_pb2.HealthCheckRequest()
            try:
                answer = check(request, timeout=_ASK_FOR, wait_for_ready=True)
            except grpc.RpcError:
                return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def _exporting(address: str) -> dict[str, str]:
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": address, "OTEL_EXPORTER_OTLP_INSECURE": "true"}


def _channel(address: str) -> grpc.Channel:
    return grpc.insecure_channel(address.replace("unix://", "unix:"), options=_CHANNEL_OPTIONS)


def import_parts(archive: Path, name: str) -> Iterator[image_service_pb2.ImportRequest]:
    """Yield an archive as the messages of an Import."""
    if name:
        options = image_service_pb2.ImportOptions(name=name)
        yield image_service_pb2.ImportRequest(options=options)
    with archive.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield image_service_pb2.ImportRequest(chunk=chunk)
