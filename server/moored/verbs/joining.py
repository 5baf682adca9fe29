"""The namespaces of other containers that a start joins: found, checked, and held open.

Law: a namespace is opened first, and only then is its owner's process looked at: what is held is
that owner's, however soon it ends and whoever gets its pid. Nothing is claimed: the owner may be
stopped or removed at any moment, and what is held is then joined all the same, or the runtime
says that there is nothing to join.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from moored import errors
from moored.model import sharing
from moored.model.state import Frozen, Running
from moored.oci.host import NAMESPACES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from moored.directory import View
    from moored.model.identity import ContainerId
    from moored.model.spec import Spec
    from moored.model.state import Snapshot


class Directory(Protocol):
    def peek(self, reference: str) -> View: ...


@dataclass(frozen=True)
class Joined:
    """What one start joins, by the kind of namespace. Nothing, for most."""

    owners: Mapping[str, Snapshot] = field(default_factory=dict)
    """As they were when they were found."""
    paths: Mapping[str, str] = field(default_factory=dict)
    """Where the runtime finds each namespace, as long as it is held."""

    @property
    def uts_owner(self) -> tuple[ContainerId, Spec] | None:
        """Whose host name it has: who shares a network shares the name that is known there."""
        owner = self.owners.get("uts") or self.owners.get("network")
        return (owner.id, owner.spec) if owner else None


NOTHING = Joined()


@dataclass(frozen=True)
class Joiner:
    directory: Directory
    process_ticks: Callable[[int], int]
    """When a process began; 0 if there is none."""

    def planned(self, snapshot: Snapshot) -> Joined:
        """Return what ``joined`` would hold if the owners run, without looking at them."""
        references = sharing.joins(snapshot.spec)
        return Joined(paths={kind: f"(that of {name})" for kind, name in references.items()})

    def owners(self, spec: Spec, joiner: ContainerId | None = None) -> dict[str, Snapshot]:
        """Return whose namespaces ``spec`` joins, by their kind; refuse those that it cannot."""
        joins = sharing.joins(spec).items()
        return {kind: self._owner(kind, reference, joiner) for kind, reference in joins}

    @contextmanager
    def joined(self, snapshot: Snapshot) -> Iterator[Joined]:
        """Hold what the spec of ``snapshot`` joins, all or nothing."""
        owners = self.owners(snapshot.spec, snapshot.id)
        paths: dict[str, str] = {}
        with ExitStack() as held:
            for kind, owner in owners.items():
                descriptor = self.open(owner, kind)
                held.callback(os.close, descriptor)
                paths[kind] = f"/proc/{os.getpid()}/fd/{descriptor}"
            yield Joined(owners, paths)

    def open(self, owner: Snapshot, kind: str) -> int:
        """Return a descriptor of the namespace that the first process of ``owner`` is in.

        ``kind`` is the runtime spec's word, such as network. Raises NamespaceOwnerNotRunning.
        """
        state = owner.state
        if not isinstance(state, Running | Frozen):
            raise _not_running(owner, kind, f"it is {type(state).__name__.upper()}")
        try:
            place = f"/proc/{state.pid}/ns/{NAMESPACES.get(kind, kind)}"
            descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, ProcessLookupError) as error:
            raise _not_running(owner, kind, "it has just ended") from error
        if self.process_ticks(state.pid) != state.ticks:
            os.close(descriptor)
            raise _not_running(owner, kind, "it has just ended")
        return descriptor

    def _owner(self, kind: str, reference: str, joiner: ContainerId | None) -> Snapshot:
        try:
            owner = self.directory.peek(reference).snapshot
        except errors.ContainerNotFound as error:
            raise errors.ContainerNotFound(
                f"cannot join {kind} of container {reference!r}: there is no such container",
                reference=reference,
                kind=kind,
            ) from error
        why = sharing.why_not_joinable(owner.spec, kind)
        if owner.id == joiner:
            why = "it is the container itself"
        if why:
            raise errors.NamespaceNotJoinable(
                f"cannot join {kind} of container {reference!r}: {why}", owner=owner.id, kind=kind
            )
        return owner


def just_ended(owner: Snapshot, kind: str) -> errors.NamespaceOwnerNotRunning:
    """Return that ``owner`` has ended since it was found."""
    return _not_running(owner, kind, "it has just ended")


def _not_running(owner: Snapshot, kind: str, why: str) -> errors.NamespaceOwnerNotRunning:
    return errors.NamespaceOwnerNotRunning(
        f"cannot join {kind} of container {owner.spec.name or owner.id!r}: {why}; start it first",
        owner=owner.id,
        kind=kind,
    )
