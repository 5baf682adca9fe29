"""Which ids of the host's stand for those inside of a container's user namespace.

Law: a container has its maps for life, since what it writes into its layer belongs to the host's
ids. Where the server chose them, the ids are on its record, and on nobody else's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from moored.model.resources import Kind

if TYPE_CHECKING:
    from moored.model.resources import Resource
    from moored.model.spec import Spec
    from moored.model.state import Snapshot
    from moored.model.users import Identity

HOST: Final = "host"
AUTO: Final = "auto"
"""The server chooses the maps."""
PRIVATE: Final = "private"
"""The spec has the maps."""
BLOCK: Final = 65536
"""How many ids a container gets where the server chooses, and what its first is a multiple of."""


@dataclass(frozen=True)
class IdRange:
    """Ids of the host's, of users and groups alike."""

    first: int
    size: int

    @property
    def end(self) -> int:
        return self.first + self.size

    def overlaps(self, other: IdRange) -> bool:
        return self.first < other.end and other.first < self.end

    def holds(self, other: IdRange) -> bool:
        return self.first <= other.first and other.end <= self.end

    def __str__(self) -> str:
        return f"{self.first} to {self.end - 1}"


@dataclass(frozen=True)
class IdMapping:
    """``size`` ids from ``inside`` on are those from ``host`` on."""

    inside: int
    host: int
    size: int

    @property
    def range(self) -> IdRange:
        return IdRange(self.host, self.size)


@dataclass(frozen=True)
class IdMaps:
    uids: tuple[IdMapping, ...]
    gids: tuple[IdMapping, ...]

    @property
    def root(self) -> tuple[int, int]:
        """Return which ids of the host's root and its group have: no map is without them."""
        return self.owner(0, 0)

    def owner(self, uid: int, gid: int) -> tuple[int, int]:
        """Return whose on the host is what is these ids' inside; root's, if they are not mapped."""
        return _of(self.uids, uid), _of(self.gids, gid)


def text(mappings: Iterable[IdMapping]) -> str:
    """Return mappings as the kernel reads them."""
    return "".join(f"{each.inside} {each.host} {each.size}\n" for each in mappings)


def outside(mappings: Iterable[IdMapping], inside: int) -> int | None:
    """Return what an id is on the host, or None: it is not mapped."""
    for each in mappings:
        if each.inside <= inside < each.inside + each.size:
            return each.host + inside - each.inside
    return None


def why_not(who: Identity, maps: IdMaps) -> str:
    """Return why there is no such identity inside, or an empty text."""
    if outside(maps.uids, who.uid) is None:
        return f"user {who.uid} is not mapped in the user namespace"
    for group in who.groups:
        if outside(maps.gids, group) is None:
            return f"group {group} is not mapped in the user namespace"
    return ""


def _of(mappings: Iterable[IdMapping], inside: int) -> int:
    found = outside(mappings, inside)
    if found is None:
        found = outside(mappings, 0)
    assert found is not None
    return found


def asks(spec: Spec) -> bool:
    """Whether a container is to have a user namespace of its own."""
    return spec.user_namespace in (AUTO, PRIVATE)


def of_spec(spec: Spec, resources: Iterable[Resource]) -> IdMaps | None:
    """Return the maps of a container with these on record; None: it has none, or none yet."""
    if spec.user_namespace == PRIVATE:
        return IdMaps(spec.uid_mappings, spec.gid_mappings or spec.uid_mappings)
    if spec.user_namespace == AUTO:
        for resource in resources:
            if resource.kind is Kind.IDS:
                chosen = (IdMapping(0, int(resource.key), BLOCK),)
                return IdMaps(chosen, chosen)
    return None


def of(snapshot: Snapshot) -> IdMaps | None:
    """Return the maps of a container; None: it has the host's ids, or none of its own yet."""
    return of_spec(snapshot.spec, snapshot.resources)
