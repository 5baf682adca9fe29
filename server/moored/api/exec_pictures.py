"""What an exec is on the wire."""

from __future__ import annotations

from typing import Final

from moorage.v1 import exec_service_pb2 as wire
from moored.api import pictures
from moored.model.execs import EndReason, Exec, ExecSpec, Phase

PHASES: Final = {
    Phase.STARTING: wire.EXEC_STATE_STARTING,
    Phase.RUNNING: wire.EXEC_STATE_RUNNING,
    Phase.ENDED: wire.EXEC_STATE_ENDED,
}
REASONS: Final = {
    EndReason.EXITED: wire.EXEC_END_REASON_EXITED,
    EndReason.CONTAINER_ENDED: wire.EXEC_END_REASON_CONTAINER_ENDED,
    EndReason.TIMED_OUT: wire.EXEC_END_REASON_TIMED_OUT,
    EndReason.CALLER_GONE: wire.EXEC_END_REASON_CALLER_GONE,
    EndReason.SERVER_ENDED: wire.EXEC_END_REASON_SERVER_ENDED,
}


def picture(exec_: Exec) -> wire.Exec:
    return wire.Exec(
        id=exec_.id,
        container=exec_.container,
        run=exec_.run,
        spec=_spec(exec_.spec),
        detached=exec_.detached,
        state=PHASES[exec_.phase],
        pid=exec_.pid,
        create_time=pictures.time(exec_.created),
        exit=pictures.ended(exec_.exit) if exec_.exit else None,
        end_reason=REASONS[exec_.reason] if exec_.reason else None,
    )


def _spec(spec: ExecSpec) -> wire.ExecSpec:
    return wire.ExecSpec(
        args=spec.args,
        env=spec.env,
        working_dir=spec.working_dir,
        user=spec.user,
        tty=spec.tty,
        privileged=spec.privileged,
    )
