"""Trouble: moored, its containerd and their shims are killed, ended and stopped, one at a time.

What was killed is put on record before it is: a run whose shim was killed is one whose exit
nobody can know.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.outside import processes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.real.containerd import Containerd
    from tests.real.moored import Moored
    from tests.soak.journal import Journal
    from tests.soak.plan import Trouble


@dataclass(frozen=True)
class Troublemaker:
    moored: Moored
    containerd: Containerd
    journal: Journal
    struck: set[str] = field(default_factory=set)
    """The runs whose shim was killed."""

    async def make(self, trouble: Trouble) -> None:
        ways: Mapping[str, Callable[[Trouble], str]] = {
            "kill_moored": self._kill_moored,
            "end_moored": self._end_moored,
            "kill_containerd": self._kill_containerd,
            "stop_containerd": self._stop_containerd,
            "kill_shim": self._kill_shim,
            "kill_both": self._kill_both,
        }
        self.journal.note("trouble", trouble.kind, "begins")
        about = await asyncio.to_thread(ways[trouble.kind], trouble)
        self.journal.note("trouble", trouble.kind, "ended", about=about)

    def _kill_moored(self, trouble: Trouble) -> str:
        self.moored.kill()
        _away(trouble)
        self.moored.start()
        return ""

    def _end_moored(self, trouble: Trouble) -> str:
        self.moored.stop()
        _away(trouble)
        self.moored.start()
        return ""

    def _kill_containerd(self, trouble: Trouble) -> str:
        self.containerd.kill()
        _away(trouble)
        self.containerd.start()
        return ""

    def _stop_containerd(self, trouble: Trouble) -> str:
        self.containerd.pause()
        try:
            _away(trouble)
        finally:
            self.containerd.resume()
        return ""

    def _kill_shim(self, trouble: Trouble) -> str:
        found = processes.shims(self.containerd.address.socket, [self.moored.instance])
        if not found:
            return "none there"
        pid, _, run = sorted(found)[int(trouble.choice * (len(found) - 1))].split(" ")
        self.struck.add(run)
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
        return run

    def _kill_both(self, trouble: Trouble) -> str:
        self.containerd.kill()
        self.moored.kill()
        _away(trouble)
        self.containerd.start()
        self.moored.start()
        return ""


def _away(trouble: Trouble) -> None:
    """Let time pass: what is tested is what others do meanwhile."""
    signal.sigtimedwait([], trouble.lasts)
