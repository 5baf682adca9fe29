"""Where the cgroup of a run is: the same path in every hierarchy, with a mark of whose it is.

Of its own accord a run lies in the cgroup of its instance. Below a parent of the host's, where
others have theirs, its name says the instance too. Once it is on record, the record says it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from moored.model.identity import RunId, parse_run_id, run_id
from moored.model.resources import Kind
from moored.model.state import Snapshot

_LONGEST: Final = 2048
"""Bytes: with a run's own name and below any mount it stays a path."""
_LONGEST_PART: Final = 255
_SLICE: Final = ".slice"


def place(instance: str, parent: str, run: RunId) -> str:
    """Return where a run's cgroup goes."""
    return f"{parent}/{instance}-{run}" if parent else f"/{instance}/{run}"


def of_run(snapshot: Snapshot, instance: str, run: int | None = None) -> str:
    """Return where the cgroup of a run is, or was: the last run's unless another is named."""
    number = snapshot.run if run is None else run
    for resource in snapshot.resources:
        if resource.kind is Kind.CGROUP and resource.run == number:
            return resource.key
    return place(instance, snapshot.spec.cgroup_parent, run_id(snapshot.id, number))


def marked(name: str, instance: str) -> str:
    """Return the run that a cgroup below a parent of the host's is of, or an empty text.

    ``name`` is the last part of its path. Of another instance's it says nothing.
    """
    run = name.removeprefix(f"{instance}-")
    return run if run != name and parse_run_id(run) else ""


def fault(parent: str) -> str:
    """Return why ``parent`` cannot hold the cgroups of runs, or an empty text."""
    if not parent.startswith("/"):
        if parent.endswith(_SLICE) or ":" in parent:
            return "is a slice of systemd's; cgroups are made as directories here: give its path"
        return "must be an absolute path, the same in every hierarchy"
    parts = parent.split("/")[1:]
    if not all(parts) or {".", ".."} & set(parts):
        return 'must be a plain path: without empty parts, "." or ".."'
    if any(not character.isprintable() for character in parent):
        return "has a character that cannot be printed"
    if len(parent.encode()) > _LONGEST or max(len(part.encode()) for part in parts) > _LONGEST_PART:
        return f"must be at most {_LONGEST} bytes long, and each part {_LONGEST_PART}"
    if any(map(_is_a_runs, parts)):
        return "lies in the cgroup of a run, and would end with it"
    return ""


def lies_at_or_below(parent: str, roots: Iterable[str]) -> bool:
    """Whether ``parent`` is one of ``roots``, or below one. There are no links among cgroups."""
    plain = [root.rstrip("/") for root in roots]
    return any(parent == root or parent.startswith(f"{root}/") for root in plain)


def _is_a_runs(part: str) -> bool:
    _, _, last = part.rpartition("-")
    return parse_run_id(part) is not None or parse_run_id(last) is not None
