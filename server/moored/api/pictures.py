"""Containers as they go on the wire: built once for each published view, as bytes.

A reader costs no more than finding its container: the answer was serialised with the first
look at that view, and every later one sends the same bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from moorage.v1 import container_pb2 as wire
from moored.api import (
    asked_output,
    health_pictures,
    limit_pictures,
    mount_pictures,
    network_pictures,
    port_pictures,
    secrets,
    security_pictures,
)
from moored.model import state as states
from moored.model.exits import Origin
from moored.model.intent import Action, Asker
from moored.model.network import Dns
from moored.model.restart import RestartCondition, RestartPolicy
from moored.model.timeline import StepOutcome

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from moored.directory import View
    from moored.model.events import StartFailure
    from moored.model.exits import Exit
    from moored.model.health import Readings
    from moored.model.resources import Leftover
    from moored.model.spec import Spec
    from moored.model.state import Snapshot
    from moored.model.timeline import Stage, Timeline

STATES: Final[dict[type[states.State], wire.ContainerState]] = {
    states.Created: wire.CONTAINER_STATE_CREATED,
    states.Starting: wire.CONTAINER_STATE_STARTING,
    states.Running: wire.CONTAINER_STATE_RUNNING,
    states.Frozen: wire.CONTAINER_STATE_PAUSED,
    states.Stopping: wire.CONTAINER_STATE_STOPPING,
    states.Exited: wire.CONTAINER_STATE_EXITED,
    states.Restarting: wire.CONTAINER_STATE_RESTARTING,
    states.Removing: wire.CONTAINER_STATE_REMOVING,
    states.Stranded: wire.CONTAINER_STATE_STRANDED,
}
ORIGINS: Final = {
    Origin.PROCESS: wire.EXIT_ORIGIN_PROCESS,
    Origin.SIGNAL: wire.EXIT_ORIGIN_SIGNAL,
    Origin.START_FAILURE: wire.EXIT_ORIGIN_START_FAILURE,
    Origin.RUNTIME: wire.EXIT_ORIGIN_RUNTIME,
    Origin.HOST_REBOOT: wire.EXIT_ORIGIN_HOST_REBOOT,
    Origin.UNKNOWN: wire.EXIT_ORIGIN_UNKNOWN,
    Origin.OOM: wire.EXIT_ORIGIN_OOM,
}
ACTIONS: Final = {
    Action.STOP: wire.INTENT_ACTION_STOP,
    Action.RUN: wire.INTENT_ACTION_RUN,
    Action.REMOVE: wire.INTENT_ACTION_REMOVE,
}
ASKERS: Final = {
    Asker.CALLER: wire.INTENT_ORIGIN_CALLER,
    Asker.AUTO_REMOVE: wire.INTENT_ORIGIN_AUTO_REMOVE,
    Asker.RESTART_POLICY: wire.INTENT_ORIGIN_RESTART_POLICY,
}
OUTCOMES: Final = {
    StepOutcome.DONE: wire.STEP_OUTCOME_DONE,
    StepOutcome.FAILED: wire.STEP_OUTCOME_FAILED,
    StepOutcome.CANCELLED: wire.STEP_OUTCOME_CANCELLED,
}
CONDITIONS: Final = {
    RestartCondition.NEVER: wire.RESTART_CONDITION_NEVER,
    RestartCondition.ON_FAILURE: wire.RESTART_CONDITION_ON_FAILURE,
    RestartCondition.ALWAYS: wire.RESTART_CONDITION_ALWAYS,
    RestartCondition.UNLESS_STOPPED: wire.RESTART_CONDITION_UNLESS_STOPPED,
}
_CONTAINER_FIELD: Final = b"\x0a"
"""Tag of field 1 with a length: `container`, and `containers`, in every answer that has them."""


class Pictures:
    def __init__(self) -> None:
        self._bytes: WeakKeyDictionary[View, bytes] = WeakKeyDictionary()

    def __len__(self) -> int:
        return len(self._bytes)

    def field(self, view: View) -> bytes:
        """Return ``view`` as field 1 of an answer, ready to be sent or joined with others."""
        known = self._bytes.get(view)
        if known is None:
            body = container(view.snapshot, view.stage, view.readings).SerializeToString()
            known = self._bytes[view] = _CONTAINER_FIELD + _varint(len(body)) + body
        return known


def container(
    snapshot: Snapshot, stage: Stage | None = None, readings: Readings | None = None
) -> wire.Container:
    return wire.Container(
        id=snapshot.id,
        name=snapshot.spec.name,
        spec=spec(snapshot.spec),
        generation=snapshot.generation,
        intent=wire.Intent(
            action=ACTIONS[snapshot.intent.action], origin=ASKERS[snapshot.intent.asker]
        ),
        status=_status(snapshot, stage, readings),
        revision=snapshot.revision,
        create_time=time(snapshot.created),
    )


def _status(
    snapshot: Snapshot, stage: Stage | None, readings: Readings | None
) -> wire.ContainerStatus:
    state, exit = snapshot.state, snapshot.exit
    pid = state.pid if isinstance(state, states.Running | states.Frozen | states.Stopping) else 0
    return wire.ContainerStatus(
        state=STATES[type(state)],
        run=snapshot.run,
        pid=pid,
        exit=ended(exit) if exit else None,
        error=failed(snapshot.failure) if snapshot.failure else None,
        start_time=time(snapshot.started) if snapshot.started else None,
        finish_time=time(exit.at) if exit else None,
        stage=_stage(stage) if stage else None,
        health=health_pictures.health(snapshot.health, readings),
        output_lost=_lost(snapshot.output_lost) if snapshot.output_lost else None,
        networks=network_pictures.networks(snapshot) if pid else [],
        mounts=mount_pictures.status(snapshot) if pid else [],
        leftovers=[_leftover(leftover) for leftover in snapshot.leftovers],
        last_start=_timeline(snapshot.last_start) if snapshot.last_start else None,
        image_digest=snapshot.image.digest,
        restart_count=snapshot.restarts,
        restart=_restart(state) if isinstance(state, states.Restarting) else None,
        **security_pictures.user_namespace(snapshot),
    )


def spec(spec: Spec) -> wire.ContainerSpec:
    return wire.ContainerSpec(
        name=spec.name,
        image=spec.image,
        command=spec.command,
        args=spec.args,
        env=spec.env,
        working_dir=spec.working_dir,
        user=spec.user,
        labels=spec.labels,
        hostname=spec.hostname,
        stop_signal=spec.stop_signal,
        stop_timeout=duration(spec.stop_timeout) if spec.stop_timeout is not None else None,
        auto_remove=spec.auto_remove,
        runtime=spec.runtime,
        network=spec.network,
        read_only_rootfs=spec.read_only_rootfs,
        shm_size=spec.shm_size,
        ipc=spec.ipc,
        pid=spec.pid,
        uts=spec.uts,
        tty=spec.tty,
        stdin=spec.stdin,
        stdin_once=spec.stdin_once,
        mounts=[mount_pictures.asked(mount) for mount in spec.mounts],
        secrets=[secrets.show(secret, wire.Secret) for secret in spec.secrets],
        configs=[secrets.show(config, wire.Config) for config in spec.configs],
        resources=limit_pictures.resources(spec.resources),
        rlimits=limit_pictures.rlimits(spec.rlimits),
        oom_score_adjust=spec.oom_score_adjust,
        umask=spec.umask,
        supplementary_groups=spec.supplementary_groups,
        health_check=health_pictures.health_check(spec.health_check),
        log_config=asked_output.picture(spec.log_config),
        networks=[network_pictures.attachment(asked) for asked in spec.networks],
        ports=[port_pictures.mapping(asked) for asked in spec.ports],
        dns=network_pictures.dns(spec.dns) if spec.dns != Dns() else None,
        extra_hosts=spec.extra_hosts,
        domain_name=spec.domain_name,
        **security_pictures.security(spec),
        restart_policy=_policy(spec.restart_policy)
        if spec.restart_policy != RestartPolicy()
        else None,
    )


def _policy(policy: RestartPolicy) -> wire.RestartPolicy:
    return wire.RestartPolicy(
        condition=CONDITIONS[policy.condition], max_retries=policy.max_retries
    )


def _lost(since: datetime) -> wire.OutputLost:
    return wire.OutputLost(since=time(since))


def _restart(state: states.Restarting) -> wire.PendingRestart:
    return wire.PendingRestart(due_time=time(state.due), attempt=state.attempt)


def ended(exit: Exit) -> wire.Exit:
    return wire.Exit(
        code=exit.code, origin=ORIGINS[exit.origin], signal=exit.signal, time=time(exit.at)
    )


def failed(failure: StartFailure) -> wire.ContainerError:
    return wire.ContainerError(
        reason=failure.reason,
        message=failure.message,
        step=failure.step,
        retriable=failure.retriable,
        time=time(failure.at),
    )


def _stage(stage: Stage) -> wire.Stage:
    return wire.Stage(verb=stage.verb, step=stage.step, since=time(stage.since))


def _leftover(leftover: Leftover) -> wire.Leftover:
    resource = leftover.resource
    return wire.Leftover(
        kind=resource.kind, key=resource.key, reason=leftover.reason, since=time(leftover.since)
    )


def _timeline(timeline: Timeline) -> wire.StartTimeline:
    return wire.StartTimeline(
        run=timeline.run,
        start_time=time(timeline.at),
        duration=duration(timeline.duration),
        steps=[
            wire.Step(
                name=step.name,
                offset=duration(step.offset),
                duration=duration(step.duration),
                outcome=OUTCOMES[step.outcome],
                error=step.error,
            )
            for step in timeline.steps
        ],
        trace_id=timeline.trace_id,
    )


def duration(value: timedelta) -> Duration:
    message = Duration()
    message.FromTimedelta(value)
    return message


def time(value: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(value)
    return message


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
