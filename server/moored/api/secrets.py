"""Secrets and configs on the wire: sealed as soon as they are read, and never shown again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from moorage.v1 import container_pb2 as wire
from moored import errors
from moored.errors import Violation
from moored.model.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from google.protobuf.message import Message

FIELDS: Final = ("secrets", "configs")
"""Of a ContainerSpec."""

Shown = TypeVar("Shown", wire.Secret, wire.Config)


def read(
    message: wire.ContainerSpec, field: str, seal: Callable[[bytes], str]
) -> tuple[Secret, ...]:
    """Return the secrets that ``field`` holds, their values sealed."""
    return tuple(
        _read(secret, f"spec.{field}[{number}]", seal)
        for number, secret in enumerate(getattr(message, field))
    )


def show(secret: Secret, kind: type[Shown]) -> Shown:
    """Return all of ``secret`` that anybody may see."""
    shown = kind(
        name=secret.name, target=secret.target, mode=secret.mode, uid=secret.uid, gid=secret.gid
    )
    if secret.sealed is None:
        shown.file = secret.file
    else:
        shown.sealed = True
    return shown


def hide(message: Message, mark: Callable[[bytes], bytes]) -> None:
    """Put the ``mark`` of each value in its place, in whatever spec ``message`` has."""
    spec = getattr(message, "spec", None)
    if isinstance(spec, wire.ContainerSpec):
        for secret in _with_values(spec):
            secret.value = mark(secret.value)


def _with_values(spec: wire.ContainerSpec) -> Iterable[Any]:
    for field in FIELDS:
        yield from (s for s in getattr(spec, field) if s.WhichOneof("source") == "value")


def _read(secret: wire.Secret | wire.Config, path: str, seal: Callable[[bytes], str]) -> Secret:
    sealed: str | None = None
    match secret.WhichOneof("source"):
        case "value":
            sealed = seal(secret.value)
        case "file":
            pass
        case "sealed":
            raise _refused(f"{path}.sealed", "is output only: give the value again")
        case _:
            raise _refused(f"{path}.source", "is required: a value, or a file")
    return Secret(
        name=secret.name,
        sealed=sealed,
        size=len(secret.value),
        file=secret.file,
        target=secret.target,
        mode=secret.mode if secret.HasField("mode") else None,
        uid=secret.uid,
        gid=secret.gid,
    )


def _refused(field: str, why: str) -> errors.InvalidField:
    return errors.InvalidField(f"cannot read request: {field} {why}", Violation(field, why))
