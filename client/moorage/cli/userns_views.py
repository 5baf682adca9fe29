"""Whose ids on the host the users of a container are, as people read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from moorage.v1.container_pb2 import ContainerStatus
    from moorage.v1.security_pb2 import IdMapping


def maps(status: ContainerStatus) -> Iterator[tuple[str, str]]:
    """Yield the maps: those of groups only where they differ."""
    users, groups = _lines(status.uid_mappings), _lines(status.gid_mappings)
    if users == groups:
        yield from (("ids", line) for line in users)
    else:
        yield from (("uids", line) for line in users)
        yield from (("gids", line) for line in groups)


def _lines(mappings: Iterable[IdMapping]) -> list[str]:
    return [
        f"{_range(each.inside, each.size)} are {_range(each.host, each.size)} on the host"
        for each in mappings
    ]


def _range(first: int, size: int) -> str:
    return f"{first}-{first + size - 1}"
