"""One picture of everything that moored could leave behind, and what changed between two.

Each entry is one line that a person can act on. A picture is taken from outside: by what
containerd lists, /proc, the cgroup hierarchies, mountinfo, ``ip`` and the directories. The
outside has no events, so whoever waits for it to settle looks again until a deadline.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

from tests.outside import containerd, files, kernel, processes
from tests.outside.listing import listing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LOOK_AGAIN: Final = 0.1


@dataclass(frozen=True)
class Place:
    """Which part of the machine is ours to look at."""

    containerd: containerd.Address
    directory: Path
    """Everything that was started for the tests has its files below this."""
    instances: frozenset[str]
    ended: frozenset[str] = frozenset()
    """Instances whose moored has ended, with all of its containers."""


@dataclass(frozen=True)
class World:
    """What is there at one moment, apart from images and what they are made of."""

    tasks: frozenset[str]
    containers: frozenset[str]
    layers: frozenset[str]
    """Writable ones; those of images are committed, and not counted here."""
    leases: frozenset[str]
    bundles: frozenset[str]
    runtime_states: frozenset[str]
    shims: frozenset[str]
    shim_sockets: frozenset[str]
    processes: frozenset[str]
    """In a cgroup of ours."""
    cgroups: frozenset[str]
    mounts: frozenset[str]
    net_namespaces: frozenset[str]
    links: frozenset[str]
    rules: frozenset[str]
    sockets: frozenset[str]
    files: frozenset[str]
    """Below root and state, apart from what a quiet daemon has."""


def look(place: Place) -> World:
    """Return what is there now."""
    address, instances = place.containerd, place.instances
    grouped = kernel.grouped_processes(instances)
    ours = grouped.keys() | processes.naming(str(place.directory))
    with listing(address.socket) as asked:
        return World(
            tasks=asked.tasks(instances),
            containers=asked.containers(instances),
            layers=asked.layers(instances, committed=False),
            leases=asked.leases(instances),
            bundles=containerd.bundles(address, instances),
            runtime_states=containerd.runtime_states(instances),
            shims=processes.shims(address.socket, instances),
            shim_sockets=containerd.shim_sockets(address),
            processes=frozenset(grouped.values()),
            cgroups=kernel.cgroups(instances) | kernel.instance_cgroups(place.ended),
            mounts=kernel.mounts(place.directory),
            net_namespaces=processes.net_namespaces(ours) | kernel.named_net_namespaces(instances),
            links=kernel.links(instances),
            rules=kernel.rules(instances),
            sockets=kernel.unix_sockets(place.directory),
            files=files.unexpected(place.directory, instances),
        )


def difference(before: World, after: World) -> list[str]:
    """Return what appeared and what vanished, a line each."""
    return [line for kind in fields(World) for line in _changes(kind.name, before, after)]


def _changes(kind: str, before: World, after: World) -> Iterator[str]:
    then: frozenset[str] = getattr(before, kind)
    now: frozenset[str] = getattr(after, kind)
    yield from (f"{kind}: appeared: {thing}" for thing in sorted(now - then))
    yield from (f"{kind}: vanished: {thing}" for thing in sorted(then - now))


def settled(before: World, place: Place, *, within: float) -> tuple[World, list[str]]:
    """Look until the world is as it was ``before``, or ``within`` seconds have passed."""
    deadline = time.monotonic() + within
    while True:
        after = look(place)
        changes = difference(before, after)
        if not changes or time.monotonic() > deadline:
            return after, changes
        time.sleep(_LOOK_AGAIN)
