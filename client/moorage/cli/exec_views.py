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
_REASONS: Final = {
    wire.EXEC_END_REASON_EXITED: "its process ended",
    wire.EXEC_END_REASON_CONTAINER_ENDED: "its container's run ended",
    wire.EXEC_END_REASON_TIMED_OUT: "its time was over",
    wire.EXEC_END_REASON_CALLER_GONE: "its caller went away",
    wire.EXEC_END_REASON_SERVER_ENDED: "the server ended",
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


def whole(exec_: Exec) -> str:
    """Return all that is known of one, a line each."""
    spec = exec_.spec
    known = {
        "exec": exec_.id,
        "container": f"{exec_.container} (run {exec_.run})",
        "state": _state(exec_),
        "end": _REASONS.get(exec_.end_reason, ""),
        "pid": str(exec_.pid or ""),
        "created": exec_.create_time.ToDatetime().isoformat(timespec="milliseconds") + "Z",
        "command": shlex.join(spec.args),
        "user": spec.user,
        "directory": spec.working_dir,
        "environment": " ".join(spec.env),
        "detached": "yes" if exec_.detached else "no",
        "terminal": "yes" if spec.tty else "no",
        "privileged": "yes" if spec.privileged else "no",
    }
    return "".join(f"{name + ':':<13}{value}\n" for name, value in known.items() if value)


def _state(exec_: Exec) -> str:
    name = _STATES.get(exec_.state, "unknown")
    return f"{name} ({exec_.exit.code})" if exec_.HasField("exit") else name


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
