"""What Tasks.Create looks at before there is a task: bundle, runtime, rootfs, output, command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from moored.containerd_api import runc_options_pb2
from tests.fakes.programs import why_not
from tests.fakes.refusals import Refused, not_found, unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from moored.containerd_api import containers_pb2, task_types_pb2, tasks_pb2, types_pb2
    from tests.fakes.store import Namespace, Store

_SHIM: Final = "io.containerd.runc.v2"
_OPTIONS: Final = "containerd.runc.v1.Options"
_NO_FILE: Final = "no such file or directory"


def container(space: Namespace, name: str) -> containers_pb2.Container:
    """Return the record that every call on a task needs."""
    if (found := space.containers.get(name)) is None:
        raise not_found(f'container "{name}" in namespace "{space.name}": not found')
    return found


def make_bundle(store: Store, space: Namespace, record: containers_pb2.Container) -> Path:
    """Make the bundle's directory, or refuse: whoever left one there left it in the way."""
    if record.runtime.name != _SHIM:
        why = f'failed to resolve runtime path: runtime "{record.runtime.name}"'
        raise unknown(f"failed to start shim: {why} binary not installed: file does not exist")
    place, work = store.bundle(space.name, record.id), store.work(space.name, record.id)
    if place.exists():
        raise unknown(f"failed to start shim: mkdir {place}: file exists")
    (place / "rootfs").mkdir(parents=True)
    work.mkdir(parents=True, exist_ok=True)
    (place / "work").symlink_to(work)
    (place / "config.json").write_bytes(record.spec.value)
    return place


def checked(
    record: containers_pb2.Container, request: tasks_pb2.CreateTaskRequest
) -> tuple[str, ...]:
    """Return the process's words, or refuse as shim and runtime would."""
    try:
        process = json.loads(record.spec.value).get("process") or {}
    except ValueError:
        raise unknown("failed to start shim: unexpected end of JSON input") from None
    for mount in request.rootfs:
        _check_mount(mount)
    _check_output(request.stdout, request.stderr)
    _check_runtime(request)
    args = tuple(process.get("args") or ())
    if not args:
        raise _runc("process property must not be empty")
    if why := why_not(list(_places(request.rootfs)), args, _environment(process)):
        raise _runc(f"unable to start container process: {why}")
    return args


def write_output(process: task_types_pb2.Process, output: str) -> None:
    if output and process.stdout:
        with Path(process.stdout).open("a") as file:
            file.write(output)


def _check_mount(mount: types_pb2.Mount) -> None:
    if not all(place.exists() for place in _places([mount])):
        told = f"&{{{mount.type} {mount.source} [{' '.join(mount.options)}]}}"
        raise _shim(f"failed to mount rootfs component {told}: {_NO_FILE}")


def _check_output(stdout: str, stderr: str) -> None:
    for path in (stdout, stderr) if stdout or stderr else ():
        if not path or not Path(path).exists():
            why = f'containerd-shim: opening file "{path}" failed: open {path}: {_NO_FILE}'
            raise _shim(f"failed to start io pipe copy: unable to copy pipes: {why}")


def _check_runtime(request: tasks_pb2.CreateTaskRequest) -> None:
    if request.options.type_url != _OPTIONS:
        return
    binary = runc_options_pb2.Options.FromString(request.options.value).binary_name
    if binary.startswith("/") and not Path(binary).exists():
        raise _shim(f"OCI runtime create failed: fork/exec {binary}: {_NO_FILE}")


def _places(mounts: Iterable[types_pb2.Mount]) -> Iterator[Path]:
    """Yield the directories of a rootfs, the topmost first."""
    for mount in mounts:
        if mount.type != "overlay":
            yield Path(mount.source)
            continue
        options = dict(option.partition("=")[::2] for option in mount.options)
        for name in ("upperdir", "lowerdir"):
            yield from (Path(place) for place in options.get(name, "").split(":") if place)


def _environment(process: dict[str, Any]) -> dict[str, str]:
    return dict(entry.partition("=")[::2] for entry in process.get("env") or ())


def _runc(why: str) -> Refused:
    return _shim(f"OCI runtime create failed: runc create failed: {why}")


def _shim(why: str) -> Refused:
    return unknown(f"failed to create shim task: {why}: unknown")
