"""Commands that are executed in a running container. Values and rules only.

An exec belongs to one run of its container and ends with that at the latest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final, NewType

from moored.errors import Violation
from moored.model import rules
from moored.model.exits import Exit
from moored.model.identity import ContainerId, RunId, run_id
from moored.model.policy import LOCAL
from moored.model.spec import Spec

ExecId = NewType("ExecId", str)

LARGEST_SIDE: Final = 2**16 - 1
_ID: Final = re.compile(r"[0-9a-f]{32}")


def is_exec_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None


@dataclass(frozen=True)
class ExecSpec:
    """What to execute. Unset means as the container's first process has it."""

    args: tuple[str, ...]
    env: tuple[str, ...] = ()
    working_dir: str = ""
    user: str = ""
    tty: bool = False
    privileged: bool = False
    role: str = LOCAL
    """Of whoever asked for it. Not on the wire."""


class Phase(StrEnum):
    STARTING = "starting"
    RUNNING = "running"
    ENDED = "ended"


class EndReason(StrEnum):
    """Why an exec ended."""

    EXITED = "exited"
    CONTAINER_ENDED = "container ended"
    TIMED_OUT = "timed out"
    CALLER_GONE = "caller gone"
    SERVER_ENDED = "server ended"


@dataclass(frozen=True)
class Exec:
    """One exec at one moment. A pid only while it runs, an exit and a reason only afterwards."""

    id: ExecId
    container: ContainerId
    run: int
    spec: ExecSpec
    detached: bool
    created: datetime
    pid: int = 0
    exit: Exit | None = None
    reason: EndReason | None = None
    unlisted: bool = False
    """A health check's: nobody asked for it by name."""

    @property
    def run_id(self) -> RunId:
        return run_id(self.container, self.run)

    @property
    def phase(self) -> Phase:
        if self.exit is not None:
            return Phase.ENDED
        return Phase.RUNNING if self.pid else Phase.STARTING

    def started(self, pid: int) -> Exec:
        return replace(self, pid=pid)

    def ended(self, exit: Exit, reason: EndReason) -> Exec:
        return replace(self, pid=0, exit=exit, reason=reason)


@dataclass(frozen=True)
class WindowSize:
    """Of a terminal, in characters."""

    width: int
    height: int


def violations(spec: ExecSpec, *, connected: bool) -> list[Violation]:
    """Return every field of ``spec`` that breaks its rule.

    ``connected``: whether a caller holds its streams while it runs.
    """
    found = [*_args(spec), *_as_of_a_container(spec)]
    if spec.tty and not connected:
        found.append(Violation("tty", "needs a call that its streams are connected to: Exec"))
    return found


def window_fault(window: WindowSize) -> str:
    """Return why a terminal cannot have this size, or an empty text."""
    if 0 < window.width <= LARGEST_SIDE and 0 < window.height <= LARGEST_SIDE:
        return ""
    return f"must be 1 to {LARGEST_SIDE} characters wide and high"


def _args(spec: ExecSpec) -> Iterator[Violation]:
    if not spec.args:
        yield Violation("args", "is required")


def _as_of_a_container(spec: ExecSpec) -> Iterator[Violation]:
    """Yield what would be wrong with a container that did the same: the rules are one."""
    like = Spec(
        image="any",
        command=spec.args,
        env=spec.env,
        working_dir=spec.working_dir,
        user=spec.user,
    )
    for found in rules.violations(like):
        field = found.field
        if field.startswith("command"):
            field = f"args{field.removeprefix('command')}"
        yield Violation(field, found.why)
