"""What a container can hold on the host, and in which order it is let go."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """In the order of release: a layer before its containerd record, a task before both.

    containerd deletes a container's record under a live task and so orphans the task.
    """

    TASK = "task"
    BUNDLE = "bundle"
    CGROUP = "cgroup"
    LAYER = "layer"
    CONTAINER = "container"
    OUTPUT = "output"


RELEASE_ORDER = tuple(Kind)


class Hold(StrEnum):
    """How sure we are that a resource is there."""

    WANTED = "wanted"
    """Recorded before it is acquired: it may be there."""
    HELD = "held"


@dataclass(frozen=True)
class Resource:
    kind: Kind
    key: str
    """Its name where it lives: a containerd id, a path."""
    run: int
    """The run that acquired it."""
    kept: bool = False
    """Belongs to the container, not to the run: survives until the container is removed."""
    hold: Hold = Hold.WANTED


@dataclass(frozen=True)
class Leftover:
    """A resource that could not be released, and why."""

    resource: Resource
    reason: str
