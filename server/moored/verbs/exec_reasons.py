"""Why an exec did not begin, and why it ended: as far as the state of its container tells."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from signal import SIGKILL
from typing import TYPE_CHECKING

from moored import errors
from moored.containerd.values import Phase
from moored.model.execs import EndReason
from moored.model.exits import Origin

if TYPE_CHECKING:
    from collections.abc import Callable

    from moored.model.execs import Exec
    from moored.model.exits import Exit
    from moored.verbs.exec_needs import Tasks
    from moored.verbs.exec_session import Session


@dataclass(frozen=True)
class Reasons:
    tasks: Tasks
    is_ending: Callable[[int], bool]
    """Whether a process has exited, or is about to."""

    async def of_failure(self, exec_: Exec, error: Exception) -> Exception:
        """Return what an exec that could not begin fails with."""
        if isinstance(error, FileNotFoundError):  # the run's place went with the run
            return not_running(exec_)
        if not isinstance(error, errors.RuntimeRefused):
            return error
        with suppress(errors.MooredError):
            task = await self.tasks.get(exec_.run_id)
            if task is None or task.phase is Phase.STOPPED:
                return not_running(exec_)
            if task.phase in (Phase.PAUSED, Phase.PAUSING):
                return _paused(exec_)
        return error

    async def of_end(self, session: Session, exit: Exit) -> EndReason:
        """Return why one ended that was not told to: the kernel kills all that is in a container.

        That comes before the end of the container's own process, which only the kernel knows of.
        """
        if exit.origin is Origin.PROCESS or exit.signal not in (0, SIGKILL):
            return EndReason.EXITED
        if session.wiring.beside and self.is_ending(session.wiring.beside):
            return EndReason.CONTAINER_ENDED
        with suppress(errors.MooredError):
            task = await self.tasks.get(session.exec.run_id)
            if task is None or task.phase is Phase.STOPPED:
                return EndReason.CONTAINER_ENDED
        return EndReason.EXITED


def not_running(exec_: Exec) -> errors.ContainerNotRunning:
    return errors.ContainerNotRunning(
        f"cannot execute command in container {exec_.container!r}: its process has just ended",
        container=exec_.container,
    )


def _paused(exec_: Exec) -> errors.ContainerPaused:
    return errors.ContainerPaused(
        f"cannot execute command in container {exec_.container!r}: it is paused, resume it first",
        container=exec_.container,
    )
