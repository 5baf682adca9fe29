"""Which containers a caller means: those that fit every field that is set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from moored.model.state import Snapshot, State
from moored.model.tidings import Tiding


@dataclass(frozen=True)
class Filter:
    """One of the values of each field, except of labels, which must all be there."""

    states: frozenset[type[State]] = frozenset()
    labels: tuple[tuple[str, str | None], ...] = ()
    """Key and value; None: whatever the value is."""
    names: frozenset[str] = frozenset()
    images: frozenset[str] = frozenset()
    """Complete names, and digests."""
    since: int = 0
    """Only what has changed after this revision."""

    def fits(self, snapshot: Snapshot) -> bool:
        spec, image = snapshot.spec, snapshot.image
        return (
            (not self.since or snapshot.revision > self.since)
            and (not self.states or type(snapshot.state) in self.states)
            and self._fits_names(spec.name, image.name, image.digest)
            and self.fits_labels(spec.labels)
        )

    def tells(self, tiding: Tiding) -> bool:
        """Whether it fits the container as it was after this."""
        return (
            (not self.states or tiding.state in {state.__name__ for state in self.states})
            and self._fits_names(tiding.name, tiding.image, tiding.digest)
            and self.fits_labels(tiding.labels)
        )

    def _fits_names(self, name: str, *images: str) -> bool:
        return (not self.names or name in self.names) and (
            not self.images or not self.images.isdisjoint(images)
        )

    def fits_labels(self, labels: Mapping[str, str]) -> bool:
        return all(key in labels and value in (None, labels[key]) for key, value in self.labels)


EVERYTHING: Final = Filter()
