"""The command ``moorage`` as people and scripts use it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import Any, Final

ANSWER_WITHIN: Final = 60.0


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def answer(self) -> Any:
        """What ``--json`` printed."""
        assert self.code == 0, self.err
        return json.loads(self.out)


class Command:
    def __init__(self, address: str) -> None:
        self._environment = {**os.environ, "MOORAGE_ADDRESS": address}

    def __call__(self, *words: str, stdin: bytes = b"") -> Ended:
        done = subprocess.run(
            _command(words),
            env=self._environment,
            input=stdin,
            capture_output=True,
            timeout=ANSWER_WITHIN,
            check=False,
        )
        return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())

    async def interrupted(self, line: str, *words: str) -> Ended:
        """Run it until it has printed ``line``, then press Ctrl-C, and see how it ends."""
        process = await asyncio.create_subprocess_exec(
            *_command(words),
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert process.stdout is not None
        async with asyncio.timeout(ANSWER_WITHIN):
            first = await process.stdout.readline()
            assert first.decode().rstrip("\n") == line
            process.send_signal(signal.SIGINT)
            out, err = await process.communicate()
        assert process.returncode is not None
        return Ended(process.returncode, (first + out).decode(), err.decode())


def _command(words: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-m", "moorage", *words]
