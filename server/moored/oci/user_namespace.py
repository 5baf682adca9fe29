"""The user namespace of the runtime spec: its maps, and the standard mounts that go with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from moored.model.id_maps import outside

if TYPE_CHECKING:
    from collections.abc import Iterable

    from moored.model.id_maps import IdMapping, IdMaps
    from moored.model.spec import Spec
    from moored.oci.defaults import Json

_TERMINALS: Final = "/dev/pts"
_TERMINALS_GROUP: Final = 5
"""tty's, on every distribution."""
_PING: Final = "net.ipv4.ping_group_range"
_MOST_GROUPS: Final = 2**31


def mappings(maps: IdMaps | None) -> Json:
    """Return uidMappings and gidMappings, if there are any."""
    if maps is None:
        return {}
    return {"uidMappings": _mappings(maps.uids), "gidMappings": _mappings(maps.gids)}


def mounts(standard: list[Json], maps: IdMaps | None) -> list[Json]:
    """Return the standard mounts: none may belong to a group that is not mapped."""
    if maps is None or outside(maps.gids, _TERMINALS_GROUP) is not None:
        return standard
    group = f"gid={_TERMINALS_GROUP}"
    return [
        mount | {"options": [option for option in mount["options"] if option != group]}
        if mount["destination"] == _TERMINALS
        else mount
        for mount in standard
    ]


def sysctls(settings: dict[str, str], spec: Spec, maps: IdMaps | None) -> dict[str, str]:
    """Return ``settings``: who may ping is a range of groups, and those have to be mapped.

    What the spec itself says stays as it is.
    """
    if maps is None or _PING not in settings or _PING in spec.sysctls:
        return settings
    [first] = [each for each in maps.gids if each.inside == 0]
    return settings | {_PING: f"0 {min(first.size, _MOST_GROUPS) - 1}"}


def _mappings(mappings: Iterable[IdMapping]) -> list[Json]:
    return [
        {"containerID": each.inside, "hostID": each.host, "size": each.size} for each in mappings
    ]
