"""Which system calls a container may make: an allow-list in the runtime spec's format.

The table beside this file says it by purpose. A call that is not in it fails with EPERM, and
one that is newer than the whole table with ENOSYS, which the runtime sees to.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from moored.oci.defaults import Json

_EPERM: Final = 1
_TABLE: Final = "seccomp_default.json"


@cache
def allow_list(capabilities: frozenset[str], architecture: str) -> Json:
    """Return the filter for processes that have ``capabilities`` at most.

    ``architecture`` is uname's word; one that the table does not know gets the runtime's own.
    """
    table = _table()
    known = table["architectures"].get(architecture, {})
    names = {name for group in table["always"].values() for name in group}
    names.update(known.get("also", ()))
    for capability in capabilities:
        names.update(table["with_capability"].get(capability, ()))
    profile: Json = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": _EPERM,
        "syscalls": [
            {"names": sorted(names), "action": "SCMP_ACT_ALLOW"},
            *(_rule(row) for row in table["by_argument"] if _applies(row, architecture, names)),
        ],
    }
    if known:
        profile["architectures"] = known["names"]
    return profile


def names_of(architecture: str) -> list[str]:
    """Return libseccomp's names of a machine and its relatives; none if it is not in the table."""
    names: list[str] = _table()["architectures"].get(architecture, {}).get("names", [])
    return names


def _applies(row: Json, architecture: str, allowed: set[str]) -> bool:
    here = architecture in row.get("on", [architecture])
    return here and architecture not in row.get("not_on", ()) and row["name"] not in allowed


def _rule(row: Json) -> Json:
    rule: Json = {"names": [row["name"]], "action": "SCMP_ACT_ALLOW"}
    if "errno" in row:
        rule |= {"action": "SCMP_ACT_ERRNO", "errnoRet": row["errno"]}
    if "argument" in row:
        rule["args"] = [_condition(**row["argument"])]
    return rule


def _condition(index: int, op: str, value: int, masked: int = 0) -> Json:
    if op == "SCMP_CMP_MASKED_EQ":  # the mask comes first
        return {"index": index, "op": op, "value": masked, "valueTwo": value}
    return {"index": index, "op": op, "value": value}


@cache
def _table() -> dict[str, Any]:
    text = resources.files(__package__).joinpath(_TABLE).read_text(encoding="utf-8")
    table: dict[str, Any] = json.loads(text)
    return table
