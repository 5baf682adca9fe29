"""What a caller asked for, from the wire into the model's values.

Nothing is silently ignored: a field of a newer client's is found among the unknown ones and
refused by its number, and a value that is not served by its path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from google.protobuf.unknown_fields import UnknownFieldSet

from moorage.v1 import container_pb2
from moored import errors
from moored.api import (
    asked_health,
    asked_limits,
    asked_network,
    asked_output,
    asked_ports,
    asked_security,
    secrets,
)
from moored.api.asked_mounts import mounts
from moored.api.asked_times import duration as duration
from moored.api.asked_times import refused as refused
from moored.api.asked_times import timestamp as timestamp
from moored.errors import Violation
from moored.model.restart import RestartCondition, RestartPolicy
from moored.model.spec import Spec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from google.protobuf.message import Message


_LONGEST_ETAG: Final = 20
"""Digits of the largest generation that the wire can hold."""
_CONDITIONS: Final[dict[int, RestartCondition]] = {
    container_pb2.RESTART_CONDITION_UNSPECIFIED: RestartCondition.NEVER,
    container_pb2.RESTART_CONDITION_NEVER: RestartCondition.NEVER,
    container_pb2.RESTART_CONDITION_ON_FAILURE: RestartCondition.ON_FAILURE,
    container_pb2.RESTART_CONDITION_ALWAYS: RestartCondition.ALWAYS,
    container_pb2.RESTART_CONDITION_UNLESS_STOPPED: RestartCondition.UNLESS_STOPPED,
}


def refuse_unknown(request: Message) -> None:
    """Refuse a request that has fields which this server does not know."""
    found = list(_unknown(request, ""))
    if found:
        raise errors.NotServed(
            f"cannot serve field {found[0].field}: this server does not know it", *found
        )


def required(request: Message, field: str) -> str:
    value: str = getattr(request, field)
    if not value:
        raise refused(field, "is required")
    return value


def within(message: Message, field: str, path: str) -> str:
    """Return a required field of a message that is part of a request, at ``path``."""
    value: str = getattr(message, field)
    if not value:
        raise refused(f"{path}.{field}", "is required")
    return value


def etag(request: Message) -> int | None:
    """Return the generation that the request's etag names, or None if any will do."""
    text: str = getattr(request, "etag")  # noqa: B009  # of many messages, by its name
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_ETAG):
        raise refused("etag", "must be a generation in decimal digits")
    return int(text)


def spec(message: container_pb2.ContainerSpec, seal: Callable[[bytes], str]) -> Spec:
    """Return what a spec says; ``seal`` makes of a secret's value what may be kept of it."""
    return Spec(
        image=message.image,
        name=message.name,
        command=tuple(message.command),
        args=tuple(message.args),
        env=tuple(message.env),
        working_dir=message.working_dir,
        user=message.user,
        labels=dict(message.labels),
        hostname=message.hostname,
        stop_signal=message.stop_signal,
        stop_timeout=(
            duration(message.stop_timeout, "spec.stop_timeout")
            if message.HasField("stop_timeout")
            else None
        ),
        auto_remove=message.auto_remove,
        runtime=message.runtime,
        network=message.network,
        tty=message.tty,
        stdin=message.stdin,
        stdin_once=message.stdin_once,
        resources=asked_limits.resources(message.resources),
        rlimits=asked_limits.rlimits(message.rlimits),
        oom_score_adjust=(
            message.oom_score_adjust if message.HasField("oom_score_adjust") else None
        ),
        umask=message.umask if message.HasField("umask") else None,
        supplementary_groups=tuple(message.supplementary_groups),
        networks=asked_network.networks(message),
        ports=asked_ports.ports(message.ports),
        dns=asked_network.dns(message.dns),
        extra_hosts=tuple(message.extra_hosts),
        domain_name=message.domain_name,
        **asked_security.security(message),
        restart_policy=policy(message.restart_policy),
        health_check=asked_health.health_check(message),
        log_config=asked_output.log_config(message),
        read_only_rootfs=message.read_only_rootfs,
        shm_size=message.shm_size,
        ipc=message.ipc,
        pid=message.pid,
        uts=message.uts,
        mounts=mounts(message.mounts),
        secrets=secrets.read(message, "secrets", seal),
        configs=secrets.read(message, "configs", seal),
    )


def policy(message: container_pb2.RestartPolicy) -> RestartPolicy:
    condition = _CONDITIONS.get(message.condition)
    if condition is None:
        field = "spec.restart_policy.condition"
        raise errors.NotServed(
            f"cannot serve {field}: {message.condition} is not known here",
            Violation(field, "is not known here"),
        )
    return RestartPolicy(condition, message.max_retries)


def _unknown(message: Message, path: str) -> Iterator[Violation]:
    unknown = UnknownFieldSet(message)
    for position in range(len(unknown)):
        number = unknown[position].field_number
        yield Violation(f"{path}{number}", "is a field number that is not known here")
    for field, value in message.ListFields():
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            continue
        if field.is_repeated:
            for number, item in enumerate(value):
                yield from _unknown(item, f"{path}{field.name}[{number}].")
        else:
            yield from _unknown(value, f"{path}{field.name}.")
