"""The command ``moorage`` as a process of its own, as a shell would start it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Mapping

WITHIN: Final = 60.0
"""Seconds after which a command counts as hung."""


@dataclass(frozen=True)
class Ended:
    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Command:
    address: str

    async def __call__(
        self, *args: str, stdin: bytes | None = None, env: Mapping[str, str] | None = None
    ) -> Ended:
        """Run the command to its end."""
        process = await self.begin(*args, stdin=DEVNULL if stdin is None else PIPE, env=env or {})
        async with asyncio.timeout(WITHIN):
            out, err = await process.communicate(stdin)
        return Ended(await process.wait(), out, err.decode())

    async def begin(
        self,
        *args: str,
        stdin: int = DEVNULL,
        stdout: int = PIPE,
        stderr: int = PIPE,
        env: Mapping[str, str] | None = None,
    ) -> Process:
        """Start the command, and leave it to the caller."""
        return await asyncio.create_subprocess_exec(
            # A suite that runs in the background passes on that it ignores SIGINT.
            *("env", "--default-signal=HUP,INT,TERM"),
            *(sys.executable, "-W", "error", "-m", "moorage"),
            *args,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env={**os.environ, "MOORAGE_ADDRESS": self.address, **(env or {})},
        )
