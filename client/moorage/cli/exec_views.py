"""Execs as people read them."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final

from moorage.cli import tables
from moorage.v1 import exec_service_pb2 as wire

if TYPE_CHECKING:
    from collections.abc import Iterable

    from moorage.v1.exec_service_pb2 import Exec

_STATES: Final = {
    wire.EXEC_STATE_STARTING: "starting",
    wire.EXEC_STATE_RUNNING: "running",
    wire.EXEC_STATE_ENDED: "ended",
}
_LONGEST: Final = 60


def table(execs: Iterable[Exec]) -> str:
    rows = [
        (
            exec_.id,
            exec_.container[:12],
            _state(exec_),
            "yes" if exec_.detached else "no",
            _shortened(shlex.join(exec_.spec.args)),
        )
        for exec_ in execs
    ]
    return tables.table(("EXEC", "CONTAINER", "STATE", "DETACHED", "COMMAND"), rows)


def _state(exec_: Exec) -> str:
    name = _STATES.get(exec_.state, "unknown")
    return f"{name} ({exec_.exit.code})" if exec_.HasField("exit") else name


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
