"""The steps of a start by name, in order, and what each acquires unless it is there already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from moored.model.resources import Kind

if TYPE_CHECKING:
    from moored.model.resources import Resource
    from moored.model.state import Snapshot

STEPS: Final[dict[str, tuple[Kind, ...]]] = {
    "admit": (),
    "record": (),
    "join": (),
    "rootfs": (Kind.IDS, Kind.LAYER),
    "files": (Kind.FILES, Kind.OUTPUT, Kind.STREAMS),
    "mounts": (Kind.SHM, Kind.SECRETS, Kind.VOLUME, Kind.SOURCE),
    "network": (Kind.SANDBOX,),
    "idmap": (Kind.IDMAPS,),
    "spec": (),
    "container": (Kind.CONTAINER,),
    "attach": (Kind.BRIDGE, Kind.ADDRESS, Kind.LINK, Kind.ATTACHMENT, Kind.PORTS),
    "task": (Kind.CGROUP, Kind.BUNDLE, Kind.TASK),
    "compare": (),
    "watch": (),
    "run": (),
    "commit": (),
}
"""Within a step, what is undone first comes last. Beside each other: rootfs, files, mounts
and network; attach and task."""


def kinds(step: str, idle: frozenset[str]) -> tuple[Kind, ...]:
    """Return what a step acquires in a start in which these have nothing to do.

    A namespace that is not made before the task is the task's own, and held from then on.
    """
    if step == "attach" and "network" in idle and "attach" not in idle:
        return (*STEPS["network"], *STEPS["attach"])
    return STEPS[step]


def acquired(step: str, snapshot: Snapshot) -> tuple[Resource, ...]:
    """Return what a step of the current run acquires."""
    mine = [resource for resource in snapshot.resources if resource.run == snapshot.run]
    return tuple(resource for kind in STEPS[step] for resource in mine if resource.kind is kind)
