"""What containerd may still make that was asked for before moored ended.

Law: what is on record and was never confirmed is doubted from moored's start on, until containerd
has given its first answer, promptly. One that answers late, or not at all at first, may have been
silent for longer than moored was away, and do then what the last moored asked of it: the doubts
stay, and what is absent is looked for again (``containerd/doubts.py``).
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from moored.containerd.doubts import PROMPT
from moored.model.resources import Hold, Kind, Resource

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from moored.registry import Registry
    from moored.saga import Clock


class Doubting(Protocol):
    def doubt(self, name: str) -> None: ...
    def settle(self, name: str) -> None: ...


class LateMaking:
    def __init__(
        self,
        registry: Registry,
        doubts: Mapping[Kind, Doubting],
        clock: Clock,
        *,
        silent: bool = False,
    ) -> None:
        """``silent``: containerd has kept moored waiting already."""
        self._silent = silent
        self._registry = registry
        self._doubts = doubts
        self._clock = clock
        self._suspects: tuple[Resource, ...] = ()

    def suspect(self) -> None:
        """Doubt all that was wanted by a moored that has ended."""
        self._suspects = tuple(
            resource
            for snapshot in self._registry.all()
            for resource in snapshot.resources
            if resource.hold is Hold.WANTED and resource.kind in self._doubts
        )
        for resource in self._suspects:
            self._doubts[resource.kind].doubt(resource.key)

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Ask containerd within: a prompt answer to the first question ends the doubts."""
        suspects, self._suspects = self._suspects, ()
        began = self._clock.seconds()
        yield
        if not self._silent and self._clock.seconds() - began < PROMPT:
            for resource in suspects:
                self._doubts[resource.kind].settle(resource.key)
