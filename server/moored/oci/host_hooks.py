"""Hooks of the host's: programs that the runtime executes for containers that they are meant for.

Described by files of version 1.0.0 of the hooks.d format, which podman and CRI-O read too, in a
directory that the settings name. Read once, when moored starts. Nothing in them is ignored:
moored does not start with one that it does not understand whole.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from moored.errors import SetupRefused
from moored.model.mounts import MountType

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from moored.oci.defaults import Json
    from moored.oci.mounts import Sourced

_SUFFIX: Final = ".json"


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from error
    return text


def _program(path: str) -> str:
    if not path.startswith("/"):
        raise ValueError(f"{path!r} is no absolute path")
    if not (os.path.isfile(path) and os.access(path, os.X_OK)):
        raise ValueError(f"{path!r} is no program that can be executed")
    return path


Pattern = Annotated[str, AfterValidator(_pattern)]
Stage = Literal[
    "prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"
]


class _Known(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Hook(_Known):
    path: Annotated[str, AfterValidator(_program)]
    args: list[str] = []
    env: list[str] = []
    timeout: Annotated[int, Field(gt=0)] | None = None


class _When(_Known):
    """All that is said has to be so; where nothing is said, nothing is."""

    always: bool | None = None
    annotations: dict[Pattern, Pattern] = {}
    commands: list[Pattern] = []
    hasBindMounts: bool | None = None  # noqa: N815


class HostHook(_Known):
    version: Literal["1.0.0"]
    hook: _Hook
    when: _When
    stages: Annotated[list[Stage], Field(min_length=1)]


@dataclass(frozen=True)
class Subject:
    """What of a container decides which hooks it gets."""

    command: str
    labels: Mapping[str, str]
    """Which stand for the annotations of engines that have those."""
    has_binds: bool


def read(directory: Path) -> tuple[HostHook, ...]:
    """Return the hooks that ``directory`` describes, by the names of their files."""
    try:
        files = sorted(file for file in directory.iterdir() if file.suffix == _SUFFIX)
    except OSError as error:
        raise SetupRefused(f"cannot read the hooks in {str(directory)!r}: {error}") from error
    return tuple(map(_described, files))


def _described(file: Path) -> HostHook:
    try:
        return HostHook.model_validate(json.loads(file.read_bytes()))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        why = f"{'.'.join(map(str, first['loc']))}: {first['msg'].lower()}"
    except (OSError, ValueError) as error:
        why = str(error)
    raise SetupRefused(f"cannot use the hook {str(file)!r}: {why}")


def subject(args: Sequence[str], labels: Mapping[str, str], mounts: Iterable[Sourced]) -> Subject:
    binds = any(one.placed.mount.type is MountType.BIND for one in mounts)
    return Subject(args[0] if args else "", labels, binds)


def apply(hooks: Iterable[HostHook], about: Subject, spec: Json) -> None:
    """Add the hooks that are meant for a container to its runtime spec, in place."""
    for one in hooks:
        if _meant(one.when, about):
            for stage in one.stages:
                spec.setdefault("hooks", {}).setdefault(stage, []).append(_shown(one.hook))


def _meant(when: _When, about: Subject) -> bool:
    said: list[bool] = []
    if when.always is not None:
        said.append(when.always)
    if when.hasBindMounts is not None:
        said.append(when.hasBindMounts and about.has_binds)
    if when.commands:
        said.append(any(re.search(pattern, about.command) for pattern in when.commands))
    for key, value in when.annotations.items():
        labels = about.labels.items()
        said.append(any(re.search(key, k) and re.search(value, v) for k, v in labels))
    return bool(said) and all(said)


def _shown(hook: _Hook) -> Json:
    shown: Json = {"path": hook.path}
    for name, value in (("args", hook.args), ("env", hook.env), ("timeout", hook.timeout)):
        if value:
            shown[name] = value
    return shown
