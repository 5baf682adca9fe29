"""grpcurl, which knows of the server what reflection tells, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

BINARY: Final = Path(sys.executable).parent / "grpcurl"
_ANSWER_WITHIN: Final = 60.0


@dataclass(frozen=True)
class Said:
    code: int
    """grpcurl's own exit code: 0, or 64 and the status."""
    out: str
    err: str

    @property
    def answer(self) -> Any:
        """The one message that came."""
        assert self.code == 0, self.err
        return json.loads(self.out)

    @property
    def answers(self) -> list[Any]:
        """The messages of a stream."""
        assert self.code == 0, self.err
        decoder, found, rest = json.JSONDecoder(), list[Any](), self.out.strip()
        while rest:
            message, end = decoder.raw_decode(rest)
            found.append(message)
            rest = rest[end:].strip()
        return found


class Grpcurl:
    def __init__(self, socket: Path) -> None:
        self._socket = str(socket)

    def list(self, *what: str) -> list[str]:
        return self._said("list", *what).out.split()

    def describe(self, symbol: str) -> str:
        return self._said("describe", symbol).out

    def call(self, method: str, request: object = None) -> Said:
        """Call ``method`` with one message. A list of messages is a client stream."""
        messages = request if isinstance(request, list) else [request or {}]
        return self._run(
            "-d", "@", self._socket, method, stdin="\n".join(json.dumps(m) for m in messages)
        )

    def _said(self, *words: str) -> Said:
        said = self._run(self._socket, *words)
        assert said.code == 0, said.err
        return said

    def _run(self, *words: str, stdin: str = "") -> Said:
        command = [str(BINARY), "-plaintext", "-unix", "-max-time", "50", *words]
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=_ANSWER_WITHIN,
            check=False,
        )  # fmt: skip
        return Said(done.returncode, done.stdout, done.stderr)
