"""Profiles of callers', in the format of the big engines, as the runtime takes them.

That format is the runtime spec's with conditions: a rule may ask for capabilities, machines
and kernels, and architectures come with their relatives. Nothing in a profile is ignored.
"""

from __future__ import annotations

import errno
import json
import re
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from moored.oci import seccomp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moored.oci.defaults import Json

_HARMLESS: Final = frozenset(
    f"SCMP_ACT_{action}" for action in ("ERRNO", "KILL", "KILL_PROCESS", "KILL_THREAD", "TRAP")
)
_MACHINES: Final = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "i686": "x86",
    "armv7l": "arm",
    "armv6l": "arm",
    "mips64": "mips64",
}
"""What engines call a machine, where uname has another word."""
_WEAKENING: Final = "SECCOMP_FILTER_FLAG_SPEC_ALLOW"
_KERNEL: Final = re.compile(r"([0-9]+)\.([0-9]+)")


def _listed(value: object) -> object:
    return [] if value is None else value


def _error(value: object) -> object:
    if isinstance(value, str) and value and not hasattr(errno, value):
        raise ValueError(f"{value!r} is no error's name")
    return value


_Names = Annotated[list[str], BeforeValidator(_listed), Field(max_length=2000)]
_Errno = Annotated[int | None, Field(ge=0, le=4095)]
_ErrorName = Annotated[str, BeforeValidator(_error)]
_Action = Literal[
    "SCMP_ACT_KILL",
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_TRAP",
    "SCMP_ACT_ERRNO",
    "SCMP_ACT_TRACE",
    "SCMP_ACT_ALLOW",
    "SCMP_ACT_LOG",
]
_Word = Annotated[int, Field(ge=0, lt=2**64)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Argument(_Strict):
    index: Annotated[int, Field(ge=0, le=5)]
    value: _Word
    valueTwo: _Word = 0  # noqa: N815  # the format's names
    op: Literal[
        "SCMP_CMP_NE",
        "SCMP_CMP_LT",
        "SCMP_CMP_LE",
        "SCMP_CMP_EQ",
        "SCMP_CMP_GE",
        "SCMP_CMP_GT",
        "SCMP_CMP_MASKED_EQ",
    ]


class _Condition(_Strict):
    caps: _Names = []
    arches: _Names = []
    minKernel: Annotated[str, Field(pattern=r"^([0-9]{1,4}\.[0-9]{1,4})?$")] = ""  # noqa: N815


class _Rule(_Strict):
    names: _Names = []
    name: str = ""
    action: _Action
    args: Annotated[list[_Argument], BeforeValidator(_listed)] = []
    errnoRet: _Errno = None  # noqa: N815
    errno: _ErrorName = ""
    comment: str = ""
    includes: _Condition = _Condition()
    excludes: _Condition = _Condition()


class _Family(_Strict):
    architecture: str
    subArchitectures: _Names = []  # noqa: N815


class _Profile(_Strict):
    defaultAction: _Action  # noqa: N815
    defaultErrnoRet: _Errno = None  # noqa: N815
    defaultErrno: _ErrorName = ""  # noqa: N815
    architectures: _Names = []
    archMap: Annotated[list[_Family], BeforeValidator(_listed)] = []  # noqa: N815
    flags: _Names = []
    syscalls: Annotated[list[_Rule], BeforeValidator(_listed), Field(max_length=2000)] = []


def fault(text: str) -> str:
    """Return why ``text`` is no profile, or an empty text."""
    try:
        profile = _parsed(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))
        why = first["msg"][:1].lower() + first["msg"][1:]
        return f"is no profile: {where}: {why}" if where else f"is no profile: {why}"
    if profile.architectures and profile.archMap:
        return "is no profile: it has both architectures and archMap"
    return ""


def convert(text: str, capabilities: frozenset[str], architecture: str, kernel: str) -> Json:
    """Return the filter that the profile ``text`` means for such processes on such a host.

    ``architecture`` and ``kernel`` are uname's words.
    """
    profile = _parsed(text)
    native = seccomp.names_of(architecture)[:1]
    families = [f for f in profile.archMap if f.architecture in native]
    names = [name for f in families for name in (f.architecture, *f.subArchitectures)]
    filter_: Json = {
        "defaultAction": profile.defaultAction,
        "syscalls": [
            _rule(rule)
            for rule in profile.syscalls
            if _applies(rule, capabilities, _MACHINES.get(architecture, architecture), kernel)
        ],
    }
    if (code := _code(profile.defaultErrnoRet, profile.defaultErrno)) is not None:
        filter_["defaultErrnoRet"] = code
    if known := names or profile.architectures:
        filter_["architectures"] = known
    if profile.flags:
        filter_["flags"] = profile.flags
    return filter_


def excess(wanted: Json, default: Json) -> str:
    """Return what the filter ``wanted`` allows beyond ``default``, or an empty text."""
    if wanted["defaultAction"] not in _HARMLESS:
        return f"{wanted['defaultAction']} for every call that it does not name"
    if _WEAKENING in wanted.get("flags", ()):
        return _WEAKENING
    free = {n for rule in _allowing(default) if not rule.get("args") for n in rule["names"]}
    bound = {(n, _key(rule)) for rule in _allowing(default) for n in rule["names"]}
    for rule in _allowing(wanted):
        for name in rule["names"]:
            if name not in free and (name, _key(rule)) not in bound:
                return name if not rule.get("args") else f"{name} with these arguments"
    return ""


def _parsed(text: str) -> _Profile:
    return _Profile.model_validate_json(text)


def _allowing(filter_: Json) -> Iterator[dict[str, Any]]:
    return (rule for rule in filter_["syscalls"] if rule["action"] not in _HARMLESS)


def _key(rule: Json) -> str:
    args = [{"valueTwo": 0, **condition} for condition in rule.get("args") or ()]
    return json.dumps(args, sort_keys=True)


def _applies(rule: _Rule, capabilities: frozenset[str], machine: str, kernel: str) -> bool:
    wanted, unwanted = rule.includes, rule.excludes
    return (
        set(wanted.caps) <= capabilities
        and (not wanted.arches or machine in wanted.arches)
        and (not wanted.minKernel or _version(kernel) >= _version(wanted.minKernel))
        and not set(unwanted.caps) & capabilities
        and machine not in unwanted.arches
        and (not unwanted.minKernel or _version(kernel) < _version(unwanted.minKernel))
    )


def _rule(rule: _Rule) -> Json:
    shown: Json = {"names": [*rule.names, *([rule.name] if rule.name else [])]}
    shown["action"] = rule.action
    if rule.args:
        shown["args"] = [argument.model_dump() for argument in rule.args]
    if (code := _code(rule.errnoRet, rule.errno)) is not None:
        shown["errnoRet"] = code
    return shown


def _code(number: int | None, name: str) -> int | None:
    if number is not None or not name:
        return number
    return int(getattr(errno, name))


def _version(kernel: str) -> tuple[int, int]:
    match = _KERNEL.match(kernel)
    return (int(match[1]), int(match[2])) if match else (0, 0)
