"""Adopt: records made again of what containerd and the host still know, after a ledger was lost.

Laws: a run is described by the record that rides with it, and by nothing that was guessed; what is
not known is called unknown; all that is found of a container is on its record, so that it can be
let go. What becomes of each is for recovery to say, as after any other crash.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from moored.ledger import marks
from moored.ledger.records import Unreadable
from moored.model.events import Started, TaskExited
from moored.model.exits import Origin, unseen
from moored.model.follow_up import with_follow_up
from moored.model.identity import ContainerId, is_id, parse_run_id, run_id
from moored.model.mounts import placed, volumes
from moored.model.resources import EXCLUSIVE, Hold, Kind, Resource
from moored.model.state import Frozen, Running, Snapshot, Starting, Stopping, advance
from moored.model.volumes import Volume

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from moored.containerd.values import ContainerRecord, Layer
    from moored.verbs.audit import Trace

INSTANCE: Final = "moorage/instance"
_KEPT: Final = frozenset({Kind.LAYER, Kind.OUTPUT, Kind.VOLUME})
"""Of these kinds, what is found belongs to the container and not to a run."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What containerd and the host know."""

    instance: str
    runs: Sequence[ContainerRecord]
    layers: Sequence[Layer]
    tasks: frozenset[str]
    """The runs that have one, in whatever phase."""
    traces: Sequence[Trace]
    """All that bears this server's mark."""
    volumes: Mapping[str, datetime]
    """Those that are on the disk, and since when as far as the disk says."""
    can_open: Callable[[str], bool]
    """Whether a sealed value can be opened with the key that there is."""


@dataclass(frozen=True)
class Adopted:
    snapshot: Snapshot
    unknown: tuple[str, ...]
    """What of it could not be known."""


@dataclass(frozen=True)
class Passed:
    """What bears our mark, and cannot be made a record of."""

    container: ContainerId
    why: str


@dataclass(frozen=True)
class Adoption:
    adopted: Sequence[Adopted]
    passed: Sequence[Passed]
    volumes: Sequence[Volume]


def adopt(evidence: Evidence, now: datetime) -> Adoption:
    """Return the records that ``evidence`` allows to make, oldest first."""
    adopted: list[Adopted] = []
    passed: list[Passed] = []
    for container in _containers(evidence):
        try:
            adopted.append(_one(evidence, container, now))
        except Unreadable as why:
            passed.append(Passed(container, str(why)))
    ordered = sorted(adopted, key=lambda one: (one.snapshot.created, one.snapshot.id))
    settled = tuple(_without_conflicts(ordered))
    return Adoption(settled, passed, tuple(_volumes(evidence, settled)))


def _containers(evidence: Evidence) -> list[ContainerId]:
    """Return all that a run or a layer is of."""
    of_runs = [named[0] for record in _ours(evidence) if (named := parse_run_id(record.run))]
    of_layers = [ContainerId(layer.name) for layer in evidence.layers if is_id(layer.name)]
    return sorted({*of_runs, *of_layers})


def _ours(evidence: Evidence) -> Iterator[ContainerRecord]:
    return (r for r in evidence.runs if r.labels.get(INSTANCE) == evidence.instance)


def _one(evidence: Evidence, container: ContainerId, now: datetime) -> Adopted:
    last = _last_run(evidence, container)
    before = marks.read(last.mark) if last and last.mark else _of_layer(evidence, container)
    found = tuple(_found(evidence, container, before, alone=last is None))
    whole = replace(before, resources=found, leftovers=())
    after = _settled(whole, last, evidence.tasks, now)
    unknown = tuple(_unknown(evidence, before, after))
    return Adopted(after, unknown)


def _last_run(evidence: Evidence, container: ContainerId) -> ContainerRecord | None:
    named = [(parse_run_id(record.run), record) for record in _ours(evidence)]
    own = {run[1]: record for run, record in named if run and run[0] == container}
    return own[max(own)] if own else None


def _of_layer(evidence: Evidence, container: ContainerId) -> Snapshot:
    for layer in evidence.layers:
        if layer.name == container and (mark := marks.from_labels(layer.labels)):
            return marks.read(mark)
    raise Unreadable("no record rides with it: it was begun by a moored that left none")


def _found(
    evidence: Evidence, container: ContainerId, before: Snapshot, *, alone: bool
) -> Iterator[Resource]:
    """Yield what its record names, and whatever else there is of it.

    ``alone``: containerd knows of no run. What runs had has been let go, unless it is found.
    """
    named = [r for r in before.resources if r.kept or not alone]
    yield from named
    known = {(r.kind, r.key) for r in named}
    for trace in evidence.traces:
        run = parse_run_id(trace.of)
        if (run[0] if run else trace.of) == container and trace.mark not in known:
            number = run[1] if run else before.run
            yield Resource(trace.kind, trace.key, number, trace.kind in _KEPT, Hold.HELD)


def _settled(
    before: Snapshot, last: ContainerRecord | None, tasks: frozenset[str], now: datetime
) -> Snapshot:
    """Return it in a state from which recovery finds what is true."""
    match before.state:
        case Starting() if last is None or last.run not in tasks:
            begun = advance(before, Started(0, 0, now, None, None))
            return replace(_ended(begun, now, follow=last is not None), started=None)
        case Running() | Frozen() | Stopping() if last is None:
            return _ended(before, now, follow=False)
        case _:
            return before


def _ended(before: Snapshot, now: datetime, *, follow: bool) -> Snapshot:
    """Return it after an end that nobody saw. ``follow``: with what its policy asks for."""
    end = TaskExited(before.run, unseen(Origin.UNKNOWN, now))
    after = before
    for event in with_follow_up(before, end, now) if follow else (end,):
        after = advance(after, event)
    return after


def _unknown(evidence: Evidence, before: Snapshot, after: Snapshot) -> Iterator[str]:
    if after.exit and not before.exit:
        yield "how its last run ended"
    spec = before.spec
    sealed = [one.sealed for one in (*spec.secrets, *spec.configs) if one.sealed is not None]
    if marks.lacks_secrets(before):
        yield "the values of its secrets, which were too large to ride along"
    elif not all(map(evidence.can_open, sealed)):
        yield "the values of its secrets, which were sealed by another key"


def _without_conflicts(ordered: Iterable[Adopted]) -> Iterator[Adopted]:
    """Let nobody have a name, or what only one can have, that an older one has."""
    names: set[str] = set()
    held: set[tuple[Kind, str]] = set()
    for one in ordered:
        snapshot, unknown = one.snapshot, list(one.unknown)
        exclusive = {(r.kind, r.key) for r in snapshot.resources if r.kind in EXCLUSIVE}
        if lost := exclusive & held:
            kept = tuple(r for r in snapshot.resources if (r.kind, r.key) not in lost)
            snapshot = replace(snapshot, resources=kept)
            unknown.append("whose " + ", ".join(sorted(f"{k} {key} is" for k, key in lost)))
        held |= exclusive
        if snapshot.spec.name in names:
            unknown.append(f"its name: another one is called {snapshot.spec.name!r}")
            snapshot = replace(snapshot, spec=replace(snapshot.spec, name=""))
        names |= {snapshot.spec.name} - {""}
        yield Adopted(snapshot, tuple(unknown))


def _volumes(evidence: Evidence, adopted: Iterable[Adopted]) -> Iterator[Volume]:
    """Yield those that are on the disk: with labels where a container's mount has them."""
    asked = {
        one.volume: (one, snapshot)
        for snapshot in (each.snapshot for each in adopted)
        for one in volumes(placed(snapshot.id, snapshot.spec, snapshot.image))
    }
    for name, since in sorted(evidence.volumes.items()):
        if name not in asked:
            yield Volume(name, since)
            continue
        place, snapshot = asked[name]
        own = [r.run for r in snapshot.resources if (r.kind, r.key) == (Kind.VOLUME, name)]
        born = run_id(snapshot.id, own[0]) if own and place.anonymous else None
        yield Volume(name, since, dict(place.mount.labels), anonymous=place.anonymous, born=born)
