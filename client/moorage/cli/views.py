"""What people are shown of a container and of what became of it."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from moorage.cli import health_views, network_views, userns_views
from moorage.cli.port_options import published
from moorage.cli.tables import Cell, Coloured, fields, table
from moorage.cli.texts import plain
from moorage.cli.times import age, moment, size, took
from moorage.v1 import container_pb2 as wire
from moorage.v1 import container_service_pb2 as service

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from google.protobuf.timestamp_pb2 import Timestamp

SHORT: Final = 12
"""Digits of an id that are shown where there is little room."""
_STATE_COLOURS: Final[dict[int, str]] = {
    wire.CONTAINER_STATE_RUNNING: "green",
    wire.CONTAINER_STATE_STARTING: "yellow",
    wire.CONTAINER_STATE_STOPPING: "yellow",
    wire.CONTAINER_STATE_PAUSED: "yellow",
    wire.CONTAINER_STATE_RESTARTING: "yellow",
    wire.CONTAINER_STATE_REMOVING: "yellow",
    wire.CONTAINER_STATE_STRANDED: "red",
}
_OUTCOME_COLOURS: Final[dict[str, str]] = {"failed": "red", "cancelled": "yellow"}
_ENDINGS: Final[dict[int, str]] = {
    wire.EXIT_ORIGIN_OOM: "out of memory",
    wire.EXIT_ORIGIN_START_FAILURE: "it never ran",
    wire.EXIT_ORIGIN_RUNTIME: "not known: its shim died",
    wire.EXIT_ORIGIN_HOST_REBOOT: "not known: the host was rebooted",
    wire.EXIT_ORIGIN_UNKNOWN: "not known: nobody saw it",
}


def exit_is_known(exit: wire.Exit) -> bool:
    return exit.origin in (
        wire.EXIT_ORIGIN_PROCESS,
        wire.EXIT_ORIGIN_SIGNAL,
        wire.EXIT_ORIGIN_START_FAILURE,
        wire.EXIT_ORIGIN_OOM,
    )


def containers(listed: Sequence[wire.Container], now: datetime | None = None) -> str:
    clock = now or datetime.now(UTC)
    rows = [
        (
            container.id[:SHORT],
            container.name,
            container.spec.image,
            state(container.status.state),
            age(state_since(container), clock),
            str(container.status.exit.code) if container.status.HasField("exit") else "",
        )
        for container in listed
    ]
    return table(("ID", "NAME", "IMAGE", "STATE", "SINCE", "EXIT"), rows)


def state(number: wire.ContainerState) -> Coloured:
    name = _word(wire.ContainerState, number, "CONTAINER_STATE_")
    return Coloured(name, _STATE_COLOURS.get(number))


def state_since(container: wire.Container) -> Timestamp:
    """Return when a container came to the state that it is in, as far as that is told."""
    status = container.status
    if status.HasField("exit") and status.HasField("finish_time"):
        return status.finish_time
    if status.state == wire.CONTAINER_STATE_STARTING and status.HasField("stage"):
        return status.stage.since
    return status.start_time if status.HasField("start_time") else container.create_time


def container(shown: wire.Container, now: datetime | None = None) -> str:
    """Return all that is known of one container, on as many lines as that takes."""
    clock = now or datetime.now(UTC)
    title = click.style(plain(shown.name or shown.id[:SHORT]), bold=True)
    parts = [title, fields([*_identity(shown, clock), *_asked(shown.spec), *_found(shown)])]
    status = shown.status
    if status.leftovers:
        parts += ["", "could not be released yet", _leftovers(status.leftovers, clock)]
    if status.HasField("last_start"):
        parts += ["", *_timeline(status.last_start)]
    return "\n".join(parts)


def layer(usage: service.LayerUsage) -> str:
    return f"\n\nits layer takes {size(usage.bytes)} in {usage.inodes} files"


def _identity(shown: wire.Container, now: datetime) -> Iterator[tuple[str, Cell]]:
    status = shown.status
    yield "id", shown.id
    yield "state", Coloured(_state_line(shown, now), _STATE_COLOURS.get(status.state))
    if status.HasField("stage"):
        yield "under way", f"{status.stage.verb}: {status.stage.step}"
    yield "created", moment(shown.create_time)
    if status.HasField("start_time"):
        yield "started", moment(status.start_time)
    yield "image", shown.spec.image
    if status.image_digest:
        yield "digest", status.image_digest
    for attached in status.networks:
        for port in published(attached.ports):
            yield "published", port
    yield from network_views.interfaces(status)
    yield from userns_views.maps(status)


def _state_line(shown: wire.Container, now: datetime) -> str:
    status = shown.status
    told = [f"{state(status.state).text} for {age(state_since(shown), now)}"]
    if status.run:
        told.append(f"run {status.run}")
    if status.pid:
        told.append(f"pid {status.pid}")
    if status.restart_count:
        told.append(f"restarted {status.restart_count} times by itself")
    return ", ".join(told)


def _asked(spec: wire.ContainerSpec) -> Iterator[tuple[str, Cell]]:
    if spec.command:
        yield "entrypoint", shlex.join(spec.command)
    if spec.args:
        yield "arguments", shlex.join(spec.args)
    for variable in spec.env:
        yield "env", variable
    for key, value in sorted(spec.labels.items()):
        yield "label", f"{key}={value}"
    for label, value in (
        ("workdir", spec.working_dir),
        ("user", spec.user),
        ("hostname", spec.hostname),
        ("stop signal", spec.stop_signal),
        ("runtime", spec.runtime),
    ):
        if value:
            yield label, value
    yield from network_views.asked(spec)
    if spec.resources.memory_limit:
        yield "memory limit", size(spec.resources.memory_limit)
    for mount in spec.mounts:
        yield "mount", _mount(mount)
    if spec.HasField("restart_policy"):
        yield "restarted", _policy(spec.restart_policy)
    if spec.HasField("stop_timeout"):
        yield "stop timeout", took(spec.stop_timeout)
    if spec.auto_remove:
        yield "when exited", "removed"


def _mount(mount: wire.Mount) -> str:
    kind = _word(wire.MountType, mount.type, "MOUNT_TYPE_").lower()
    source = mount.source or ("anonymous" if kind == "volume" else "")
    told = [kind, *([source] if source else []), "at", mount.destination]
    return " ".join((*told, *(["(read-only)"] if mount.read_only else [])))


def _policy(policy: wire.RestartPolicy) -> str:
    word = _word(wire.RestartCondition, policy.condition, "RESTART_CONDITION_")
    limit = f", at most {policy.max_retries} times in a row" if policy.max_retries else ""
    return word.lower().replace("_", " ") + limit


def _found(shown: wire.Container) -> Iterator[tuple[str, Cell]]:
    yield from health_views.lines(shown.status.health)
    yield from _ending(shown)


def _ending(shown: wire.Container) -> Iterator[tuple[str, Cell]]:
    status = shown.status
    if status.HasField("restart"):
        yield "next run", f"{moment(status.restart.due_time)}, attempt {status.restart.attempt}"
    if status.HasField("exit"):
        yield "exit", Coloured(exit_line(status.exit), "red" if status.exit.code else None)
        yield "exited", moment(status.exit.time)
    if status.HasField("error"):
        error = status.error
        marks = [error.reason, *([f"step {error.step}"] if error.step else [])]
        marks += ["a retry may help"] if error.retriable else []
        yield "error", Coloured(f"{error.message} ({', '.join(marks)})", "red")


def exit_line(exit: wire.Exit) -> str:
    if exit.origin == wire.EXIT_ORIGIN_SIGNAL:
        return f"{exit.code} (signal {exit.signal})"
    ending = _ENDINGS.get(exit.origin)
    return f"{exit.code} ({ending})" if ending else str(exit.code)


def _timeline(start: wire.StartTimeline) -> list[str]:
    traced = f", trace {start.trace_id}" if start.trace_id else ""
    heading = f"start of run {start.run}: {took(start.duration)}{traced}"
    rows = [
        (step.name, took(step.offset), took(step.duration), _outcome(step), step.error)
        for step in start.steps
    ]
    shown = table(("STEP", "AFTER", "TOOK", "OUTCOME", ""), rows, indent="  ")
    return [plain(heading), shown]


def _outcome(step: wire.Step) -> Coloured:
    word = _word(wire.StepOutcome, step.outcome, "STEP_OUTCOME_").lower()
    return Coloured(word, _OUTCOME_COLOURS.get(word))


def _leftovers(leftovers: Sequence[wire.Leftover], now: datetime) -> str:
    rows = [(left.kind, left.key, age(left.since, now), left.reason) for left in leftovers]
    return table(("KIND", "KEY", "SINCE", "WHY"), rows, indent="  ")


def released(answer: service.CleanupResponse) -> str:
    """Return what a cleanup did, resource by resource."""
    rows = [
        (row.kind, row.key, _released(row), took(row.duration), row.reason)
        for row in answer.resources
    ]
    if not rows:
        return "nothing to release"
    return table(("KIND", "KEY", "OUTCOME", "TOOK", ""), rows)


def _released(row: service.ReleasedResource) -> Coloured:
    word = _word(service.ReleaseOutcome, row.outcome, "RELEASE_OUTCOME_").lower()
    return Coloured(word.replace("_", " "), _OUTCOME_COLOURS.get(word))


def _word(kind: object, number: int, prefix: str) -> str:
    """Return a value's name without its prefix; of a newer server's value, the number."""
    values = kind.DESCRIPTOR.values_by_number  # type: ignore[attr-defined]  # not in the stubs
    known = values.get(number)
    return str(known.name).removeprefix(prefix) if known else str(number)
