"""Which method asks for what of its caller: the one table, and what a role may of it.

A method that is not in the table is denied to everybody.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

from moored.model.policy import LOCAL, OPERATOR, VIEWER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from moored.model.policy import Policy


class Access(Enum):
    """What a method does, as far as its caller has to be trusted for it."""

    READ = "reads"
    """Changes nothing."""
    CHANGE = "changes"
    """Makes, starts, ends or removes something of moored's."""
    ENTER = "enters"
    """Runs a command in a container, or writes to what runs there."""
    OBSERVE = "observes"
    """Sees who else is connected, and from where."""


_CONTAINERS: Final = {
    Access.READ: (
        "Inspect", "List", "Watch", "Wait", "Logs", "Stats", "GetServerInfo",
    ),
    Access.CHANGE: (
        "Create", "Start", "Stop", "Kill", "Pause", "Resume", "Restart", "Rename", "Update",
        "Prune", "Cleanup", "Audit",
    ),
    Access.ENTER: ("Attach",),
}  # fmt: skip
_EXECS: Final = {
    Access.READ: ("InspectExec", "ListExecs"),
    Access.ENTER: ("Exec", "ExecSync", "ExecDetached", "KillExec"),
}
_IMAGES: Final = {Access.READ: ("List",), Access.CHANGE: ("Import", "Remove")}
_VOLUMES: Final = {Access.READ: ("Inspect", "List"), Access.CHANGE: ("Create", "Remove", "Prune")}
_CHANNELZ: Final = {
    Access.OBSERVE: (
        "GetTopChannels", "GetServers", "GetServer", "GetServerSockets", "GetChannel",
        "GetSubchannel", "GetSocket",
    ),
}  # fmt: skip
_SERVICES: Final[Mapping[str, Mapping[Access, tuple[str, ...]]]] = {
    "moorage.v1.ContainerService": _CONTAINERS,
    "moorage.v1.ExecService": _EXECS,
    "moorage.v1.ImageService": _IMAGES,
    "moorage.v1.VolumeService": _VOLUMES,
    "grpc.channelz.v1.Channelz": _CHANNELZ,
}
METHODS: Final[Mapping[str, Access]] = {
    f"{service}/{method}": access
    for service, methods in _SERVICES.items()
    for access, names in methods.items()
    for method in names
}
"""Every method of every service that asks for a role, by its full name."""

_BUILT_IN: Final[Mapping[str, frozenset[Access]]] = {
    LOCAL: frozenset(Access),
    OPERATOR: frozenset(Access),
    VIEWER: frozenset({Access.READ}),
}


def may_call(method: str, role: str, policy: Policy) -> bool:
    """Whether ``role`` may call ``method``, by its full name."""
    if role in _BUILT_IN:
        return METHODS.get(method) in _BUILT_IN[role]
    return method in policy.methods.get(role, ())


def methods(named: Iterable[str]) -> frozenset[str]:
    """Return the methods that ``named`` means: kinds of access, or methods by their full names.

    Raises ValueError for a name that is neither.
    """
    found = set[str]()
    for name in named:
        if name in METHODS:
            found.add(name)
        elif name in (access.value for access in Access):
            found |= {method for method, access in METHODS.items() if access.value == name}
        else:
            kinds = ", ".join(access.value for access in Access)
            raise ValueError(f"{name!r} is no method, such as {next(iter(METHODS))}, nor {kinds}")
    return frozenset(found)
