"""Census: how many containers are in each state, and what happens to them, in numbers.

Reads along as any watcher does, so that nothing on the way of a verb counts anything.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from moored import errors
from moored.model.events import Interfered, RestartScheduled
from moored.model.tidings import REMOVED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moored.directory import Directory
    from moored.feed import Feed
    from moored.model.identity import ContainerId
    from moored.model.tidings import Tiding
    from moored.telemetry.measures import Measures

STATES: Final = {
    "Created": "created",
    "Starting": "starting",
    "Running": "running",
    "Frozen": "paused",
    "Stopping": "stopping",
    "Exited": "exited",
    "Restarting": "restarting",
    "Removing": "removing",
    "Stranded": "stranded",
}
"""What callers call the states, by their classes' names."""
_PATIENCE: Final = 3600.0
"""Seconds until it looks up though nothing happened."""


class Tally:
    """How many of each there are. What was read of it does not change any more."""

    def __init__(self) -> None:
        self.now: Mapping[str, int] = {}
        self._of: dict[ContainerId, Counter[str]] = {}
        self._all: Counter[str] = Counter()

    def set(self, container: ContainerId, counted: Counter[str]) -> None:
        self._all.subtract(self._of.pop(container, Counter()))
        if counted:
            self._of[container] = counted
            self._all.update(counted)
        self.now = dict(self._all)

    def clear(self) -> None:
        self._of.clear()
        # Once seen, a number goes to 0: one that ends would stay as it was last seen.
        self._all = Counter(dict.fromkeys(self._all, 0))


@dataclass(kw_only=True)
class Census:
    directory: Directory
    feed: Feed
    measures: Measures
    _states: Tally = field(default_factory=Tally)
    _leftovers: Tally = field(default_factory=Tally)

    def __post_init__(self) -> None:
        self._count_all()
        self.measures.watch(
            "moored.containers",
            "{container}",
            "Containers by state",
            lambda: {**dict.fromkeys(STATES.values(), 0), **self._states.now},
            by="state",
        )
        self.measures.watch(
            "moored.leftovers",
            "{resource}",
            "Resources that could not be released yet, by kind",
            lambda: self._leftovers.now,
            by="kind",
        )

    async def run(self) -> None:
        """Read along until the feed closes."""
        while True:
            reader = self.feed.reader()
            self._count_all()
            try:
                while True:
                    for tiding in await reader.next(_PATIENCE):
                        self._note(tiding)
            except errors.WatcherTooSlow:  # begin anew, with what there is
                continue
            except errors.ShuttingDown:
                return

    def _count_all(self) -> None:
        self._states.clear()
        self._leftovers.clear()
        for snapshot in self.directory.all():
            self._states.set(snapshot.id, Counter([STATES[type(snapshot.state).__name__]]))
            self._count_leftovers(snapshot.id)

    def _note(self, tiding: Tiding) -> None:
        gone = tiding.kind == REMOVED
        state = Counter[str]() if gone else Counter([STATES[tiding.state]])
        self._states.set(tiding.container, state)
        self._count_leftovers(tiding.container)
        if tiding.exit is not None:
            self.measures.exit(tiding.exit.origin)
        if tiding.failure is not None:
            self.measures.start_failure(tiding.failure.step, tiding.failure.reason)
        if tiding.kind == RestartScheduled.__name__:
            self.measures.restart()
        if tiding.kind == Interfered.__name__:
            self.measures.interference()

    def _count_leftovers(self, container: ContainerId) -> None:
        known = self.directory.knows(container)
        left = self.directory.peek(container).snapshot.leftovers if known else ()
        self._leftovers.set(container, Counter(str(each.resource.kind) for each in left))
