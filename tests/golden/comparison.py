"""What differs between two runtime specs, path by path: ``theirs -> ours``.

What has no order is compared without one; names of single containers and their files are
replaced by what they are.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_BY: Final = {
    "mounts": "destination",
    "linux.namespaces": "type",
    "linux.devices": "path",
    "process.rlimits": "type",
}
_ID: Final = re.compile(r"[0-9a-f]{64}|[0-9a-f]{32}|[0-9a-f]{12}")
_OWN: Final = {"cgroupsPath", "root.path", "hostname"}
"""Where a container's own things are: different by nature."""
_GENERATED: Final = ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf")


def differences(theirs: dict[str, Any], ours: dict[str, Any]) -> list[tuple[str, str]]:
    """Return each path that differs, and how."""
    left, right = dict(_flat("", theirs)), dict(_flat("", ours))
    return [
        (path, f"{_shown(left.get(path))} -> {_shown(right.get(path))}")
        for path in sorted(left.keys() | right.keys())
        if left.get(path) != right.get(path)
    ]


def _shown(value: object) -> str:
    return "-" if value is None else json.dumps(value)


def _flat(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if path.removeprefix("linux.") in _OWN:
        return
    if path == "process.env":
        for entry in value:
            name, _, text = entry.partition("=")
            yield f"{path}.{name}", _ID.sub("ID", text)
    elif path == "linux.seccomp":
        yield from _filter(path, value)
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _flat(f"{path}.{key}" if path else key, part)
    elif path in _BY:
        for item in value:
            name = item[_BY[path]]
            yield f"{path}.{name}", True
            if not name.startswith(_GENERATED):
                rest = {key: part for key, part in item.items() if key != _BY[path]}
                yield from _flat(f"{path}.{name}", rest)
    elif isinstance(value, list) and path != "process.args":
        for item in value:
            text = item if isinstance(item, str) else json.dumps(item, sort_keys=True)
            yield f"{path}[{_ID.sub('ID', text)}]", True
    elif value not in (None, "", False):
        yield path, value


def _filter(path: str, value: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    yield f"{path}.defaultAction", value["defaultAction"]
    yield f"{path}.defaultErrnoRet", value.get("defaultErrnoRet", 1)
    for name in value.get("architectures", ()):
        yield f"{path}.architectures[{name}]", True
    for rule in value["syscalls"]:
        conditions = [{"valueTwo": 0, **c} for c in rule.get("args") or ()]
        what = rule["action"] + (f" {rule['errnoRet']}" if "errnoRet" in rule else "")
        for name in rule["names"]:
            arguments = json.dumps(conditions, sort_keys=True) if conditions else ""
            yield f"{path}[{name}{arguments}]", what
