"""What CDI's specifications add to a runtime spec, beside device nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from moored.oci.cdi import Edits, Hook, Mount
    from moored.oci.defaults import Json


def apply(edits: Iterable[Edits], spec: Json) -> None:
    """Add ``edits`` to ``spec``, in place."""
    for edit in edits:
        spec["process"]["env"] += edit.env
        spec["mounts"] += [_mount(mount) for mount in edit.mounts]
        if edit.additionalGids and "uid" in spec["process"]["user"]:
            groups = (*spec["process"]["user"]["additionalGids"], *edit.additionalGids)
            spec["process"]["user"]["additionalGids"] = list(dict.fromkeys(groups))
        for hook in edit.hooks:
            spec.setdefault("hooks", {}).setdefault(hook.hookName, []).append(_hook(hook))


def _mount(mount: Mount) -> Json:
    return {
        "destination": mount.containerPath,
        "type": mount.type or "bind",
        "source": mount.hostPath,
        "options": mount.options or ["bind", "rprivate"],
    }


def _hook(hook: Hook) -> Json:
    shown: Json = {"path": hook.path}
    if hook.args:
        shown["args"] = hook.args
    if hook.env:
        shown["env"] = hook.env
    if hook.timeout is not None:
        shown["timeout"] = hook.timeout
    return shown
