"""Who holds what only one may hold: addresses, links, and whatever else is exclusive.

Law: a thing is free once no record names it any more. It is looked up by its key, so that whoever
is refused can be told who has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from moored.model.resources import EXCLUSIVE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from moored.model.identity import ContainerId
    from moored.model.resources import Kind, Resource
    from moored.model.state import Snapshot


class Holdings:
    def __init__(self, known: Iterable[Snapshot] = ()) -> None:
        self._holders: dict[tuple[Kind, str], ContainerId] = {}
        self._told: dict[Kind, Callable[[str], None]] = {}
        for snapshot in known:
            self.note(snapshot.id, (), snapshot.resources)

    def holder(self, kind: Kind, key: str) -> ContainerId | None:
        """Return the container on whose record this is, or None: it is free."""
        return self._holders.get((kind, key))

    def when_free(self, kind: Kind, tell: Callable[[str], None]) -> None:
        """Call ``tell`` with the key of each thing of ``kind`` that no record names any more."""
        self._told[kind] = tell

    def note(
        self, container: ContainerId, before: Iterable[Resource], after: Iterable[Resource]
    ) -> None:
        """A container's record names ``after`` where it named ``before``."""
        left = {(r.kind, r.key) for r in after if r.kind in EXCLUSIVE}
        for resource in before:
            if resource.kind in EXCLUSIVE and (resource.kind, resource.key) not in left:
                self._free(resource.kind, resource.key)
        for thing in left:
            self._holders[thing] = container

    def _free(self, kind: Kind, key: str) -> None:
        self._holders.pop((kind, key), None)
        if tell := self._told.get(kind):
            tell(key)
