"""Signs of life for the supervisor: as long as the loop that answers calls turns, and no longer.

It says nothing of containerd: a moored without one goes on answering reads, and a restart of moored
would mend nothing.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from moored.supervisor import Supervisor

_SHARE: Final = 0.5
"""Of the supervisor's patience, as sd_watchdog_enabled(3) advises."""


@dataclass(frozen=True)
class Heartbeat:
    supervisor: Supervisor

    async def run(self) -> None:
        """Beat until cancelled; end at once where nobody counts."""
        while self.supervisor.patience:
            self.supervisor.alive()
            await asyncio.sleep(self.supervisor.patience * _SHARE)
