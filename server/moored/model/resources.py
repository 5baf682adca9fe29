"""What a container can hold on the host, and in which order it is let go."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Kind(StrEnum):
    """In the order of release: what is beside a task before it, a layer before its containerd
    record, a task before both.

    containerd deletes a container's record under a live task and so orphans the task.
    """

    STREAMS = "streams"
    """Execs and attached callers of one run, and the FIFOs that carry what they say."""
    TASK = "task"
    BUNDLE = "bundle"
    CGROUP = "cgroup"
    SHM = "shm"
    """Where /dev/shm is mounted on the host, of a run that shares it."""
    ATTACHMENT = "attachment"
    """To a network that plugins make."""
    PORTS = "ports"
    """What of one run is published and forwarded: ports of the host, and rules."""
    LINK = "link"
    """The host's end of an interface."""
    ADDRESS = "address"
    """Of IPv4, IPv6 or a MAC: held by one container of this server at a time."""
    BRIDGE = "bridge"
    """Goes with the last link in it."""
    SANDBOX = "sandbox"
    """A network namespace that is held open for one run."""
    SECRETS = "secrets"
    """Where the secrets and configs of a run are mounted on the host."""
    IDMAPS = "idmaps"
    """Layers and volumes as they are by the ids of a user namespace, until a task has them."""
    FILES = "files"
    """hosts, hostname and resolv.conf, made for one run."""
    LAYER = "layer"
    IDS = "ids"
    """65536 ids of the host's from this one on, for a container's user namespace."""
    CONTAINER = "container"
    OUTPUT = "output"
    VOLUME = "volume"
    """The use of a volume. One that a start made goes with it, if that fails."""
    SOURCE = "source"
    """A directory on the host that a bind mount needs, where the start may have to make it."""


RELEASE_ORDER = tuple(Kind)
EXCLUSIVE = frozenset({Kind.PORTS, Kind.LINK, Kind.ADDRESS, Kind.IDS})
"""Of these kinds, no two containers have the same key on record."""


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
    since: datetime


def blocked(resource: Resource, left: Iterable[Resource]) -> str:
    """Return why ``resource`` must not be touched while ``left`` are still there, or "".

    A task that could not be deleted may run: taking its container record, its files or its
    layer away would only hide it. Ids are a layer's as long as that is there. An address is in
    quarantine until its link is gone, and the bridge has its ports until then.
    """
    kinds = {other.kind for other in left}
    if resource.kind is not Kind.TASK and Kind.TASK in kinds:
        return "the task is still there"
    if resource.kind is Kind.IDS and Kind.LAYER in kinds:
        return "the layer is still there"
    if resource.kind in (Kind.ADDRESS, Kind.BRIDGE) and Kind.LINK in kinds:
        return "the link is still there"
    return ""
