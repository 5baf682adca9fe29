"""The process of an exec, as the runtime wants it: that of the container, but for what was asked.

Taken from the spec that the container was started with, so that an exec is confined exactly as
the container is, whatever the configuration says today. A privileged one has more capabilities,
and nothing else: what the runtime mounted and filters is the container's.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from moored import errors
from moored.oci import capabilities

if TYPE_CHECKING:
    from moored.model.execs import ExecSpec
    from moored.model.users import Identity

_TERM: Final = "TERM=xterm"


def build(
    runtime_spec: bytes,
    spec: ExecSpec,
    who: Identity | None = None,
    *,
    available: frozenset[str] = frozenset(),
) -> bytes:
    """Return the process as JSON. ``runtime_spec`` is that of the container's run.

    ``who`` it runs as; None: as the container does. ``available`` is what a privileged one gets.
    """
    try:
        process: dict[str, Any] = dict(json.loads(runtime_spec)["process"])
    except (ValueError, KeyError, TypeError) as error:
        raise errors.SpecFailed(
            "cannot build process of exec: the container's runtime spec has none"
        ) from error
    process["args"] = list(spec.args)
    process["env"] = _environment(process.get("env") or [], spec, who)
    process["terminal"] = spec.tty
    process.pop("consoleSize", None)
    if spec.working_dir:
        process["cwd"] = spec.working_dir
    if who is not None:
        _become(process, who)
    if spec.privileged:
        process["capabilities"] = capabilities.of_process(process["user"]["uid"], available)
        process.pop("apparmorProfile", None)
    return json.dumps(process, separators=(",", ":"), ensure_ascii=False).encode()


def _environment(container: list[str], spec: ExecSpec, who: Identity | None) -> list[str]:
    terminal = [_TERM] if spec.tty else []
    home = [f"HOME={who.home}"] if who is not None else []
    entries = [*terminal, *container, *home, *spec.env]
    return [f"{key}={value}" for key, value in dict(e.split("=", 1) for e in entries).items()]


def _become(process: dict[str, Any], who: Identity) -> None:
    user = {"uid": who.uid, "gid": who.gid, "additionalGids": list(who.groups)}
    process["user"] = {**process.get("user", {}), **user}
    bounds = (process.get("capabilities") or {}).get("bounding") or ()
    process["capabilities"] = capabilities.of_process(who.uid, frozenset(bounds))
