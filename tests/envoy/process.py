"""A real Envoy: a process of its own on the loopback, looked at through its admin interface."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.real.deadlines import until

if TYPE_CHECKING:
    from collections.abc import Mapping

BINARY: Final = Path(sys.executable).parent / "envoy"
_START_WITHIN: Final = 30.0
_END_WITHIN: Final = 20.0
_ANSWER_WITHIN: Final = 5.0
_TAIL: Final = 10_000


class Envoy:
    def __init__(self, home: Path, bootstrap: Mapping[str, Any]) -> None:
        """Run ``bootstrap``, whose admin interface and listeners have the port 0."""
        home.mkdir(parents=True)
        self._log = home / "log"
        self._admin = home / "admin"
        file = home / "envoy.json"
        file.write_text(json.dumps(bootstrap))
        command = [
            *(str(BINARY), "--config-path", str(file), "--admin-address-path", str(self._admin)),
            *("--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"),
        ]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        try:
            until(self._is_live, "envoy is live", within=_START_WITHIN)
        except BaseException:
            self._process.kill()
            self._process.wait(_END_WITHIN)
            raise
        (listener,) = json.loads(self._ask("listeners?format=json"))["listener_statuses"]
        self.port: Final = int(listener["local_address"]["socket_address"]["port_value"])
        self.address: Final = f"127.0.0.1:{self.port}"

    def counted(self, name: str) -> int:
        """Return the value of a counter or a gauge; what was never counted is 0."""
        found = json.loads(self._ask(f"stats?format=json&filter=^{name}$"))["stats"]
        return sum(int(each["value"]) for each in found if "value" in each)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(_END_WITHIN)

    def tail(self) -> str:
        return self._log.read_bytes()[-_TAIL:].decode(errors="replace")

    def _is_live(self) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError(f"envoy ended with {self._process.returncode}:\n{self.tail()}")
        if not self._admin.exists():
            return False
        try:
            return self._ask("ready").startswith("LIVE")
        except OSError:  # also what is said with 503
            return False

    def _ask(self, what: str) -> str:
        url = f"http://{self._admin.read_text()}/{what}"
        with urllib.request.urlopen(url, timeout=_ANSWER_WITHIN) as answer:
            text: str = answer.read().decode()
            return text
