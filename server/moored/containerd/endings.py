"""Ending a process that is not our child, and no other one that got its pid."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Final

from moored import errors
from moored.oci import processes

if TYPE_CHECKING:
    from moored.oci.processes import ProcessIdentity

_KILL_LIMIT: Final = 5.0


async def end(process: ProcessIdentity, what: str, *, within: float) -> None:
    """Ask it to end; make it, when it has not done so ``within`` seconds."""
    _send(process, signal.SIGTERM)
    if not await processes.wait_gone(process, within):
        await kill(process, what)


async def kill(process: ProcessIdentity, what: str) -> None:
    _send(process, signal.SIGKILL)
    if not await processes.wait_gone(process, _KILL_LIMIT):
        raise errors.RuntimeRefused(
            f"cannot end {what}: process {process.pid} lives on after SIGKILL"
        )


def _send(process: ProcessIdentity, number: signal.Signals) -> None:
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    try:
        # Asked only now that the descriptor cannot come to mean another process.
        if processes.is_alive(process):
            signal.pidfd_send_signal(descriptor, number)
    finally:
        os.close(descriptor)
