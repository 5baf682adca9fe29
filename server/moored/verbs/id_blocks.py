"""Which ids of the host's a container gets whose user namespace the server maps.

Laws: ids are taken as long as a record names them, or a start is about to put them on record; they
are named by their first, a multiple of their number, so that two blocks are the same or apart
whatever the settings were when they were given.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from moored import errors
from moored.errors import Violation
from moored.model.id_maps import AUTO, BLOCK, IdRange
from moored.model.resources import Kind, Resource
from moored.units import ids

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moored.holdings import Holdings
    from moored.model.spec import Spec
    from moored.model.state import Snapshot


class IdBlocks:
    def __init__(self, setting: str, holdings: Holdings) -> None:
        """``setting`` is FIRST:COUNT, or empty: there are none to give."""
        self._range = IdRange(*ids(setting)) if setting else None
        self._holdings = holdings
        self._about: set[str] = set()
        """What is not on record yet."""
        self._given = 0

    def violations(self, spec: Spec) -> Iterator[Violation]:
        """Yield what of ``spec`` is not to be had here, or is others'."""
        if spec.user_namespace == AUTO and self._range is None:
            why = "needs ids to choose from: the server's user_namespace_ids is empty"
            yield Violation("user_namespace", why)
        for field in ("uid_mappings", "gid_mappings"):
            for number, mapping in enumerate(getattr(spec, field)):
                if self._gives(mapping.range):
                    why = "lies in ids that the server gives to containers by itself, or has given"
                    yield Violation(f"{field}[{number}].host", why)

    def planned(self, snapshot: Snapshot, run: int) -> tuple[Resource, ...]:
        """Return the ids that ``run`` would be the first to have. Nothing is reserved."""
        if not _wants(snapshot):
            return ()
        return (Resource(Kind.IDS, self._next(), run, kept=True),)

    @contextmanager
    def reserved(self, snapshot: Snapshot, run: int) -> Iterator[tuple[Resource, ...]]:
        """Reserve ids for ``run``, if it is the first to need some, until its record names them."""
        wanted = self.planned(snapshot, run)
        taken = {resource.key for resource in wanted}
        self._about |= taken
        for key in taken:
            self._given = int(key)
        try:
            yield wanted
        finally:
            self._about -= taken

    def _gives(self, ids: IdRange) -> bool:
        """Whether any of ``ids`` is a container's by our choice, or may be."""
        if self._range and ids.overlaps(self._range):
            return True
        firsts = range(ids.first // BLOCK * BLOCK, ids.end, BLOCK)
        return any(self._holdings.holder(Kind.IDS, str(first)) for first in firsts)

    def _next(self) -> str:
        """Return the first of a free block, one that was not given of late if there is one."""
        firsts = self._firsts()
        later = range(max(self._given + BLOCK, firsts.start), firsts.stop, BLOCK)
        for first in (*later, *firsts):
            key = str(first)
            if key not in self._about and self._holdings.holder(Kind.IDS, key) is None:
                return key
        raise errors.IdsExhausted(
            f"cannot give ids to a user namespace: all {len(firsts)} blocks of {BLOCK} are taken"
        )

    def _firsts(self) -> range:
        if self._range is None:
            return range(0)
        start = -(-self._range.first // BLOCK) * BLOCK
        return range(start, self._range.end - BLOCK + 1, BLOCK)


def _wants(snapshot: Snapshot) -> bool:
    held = any(resource.kind is Kind.IDS for resource in snapshot.resources)
    return snapshot.spec.user_namespace == AUTO and not held
