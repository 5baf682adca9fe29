"""Every network that a container can be in, and what becomes of a run's interfaces over time."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from moored import errors
from moored.errors import Violation
from moored.model.identity import RunId, run_id
from moored.model.network import HOST, NONE, Attached, attachments
from moored.model.resources import Kind, Resource
from moored.model.state import Frozen, Running, Stopping
from moored.network.attaching import AttachRequest
from moored.network.loopback import set_up_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from moored.model.network import Attachment
    from moored.model.spec import Spec
    from moored.model.state import Snapshot
    from moored.network.attaching import Attacher, Left, Reservation, Way
    from moored.network.sandboxes import Sandbox, Sandboxes

PLANNED_SANDBOX: Final = "<network namespace>"


@dataclass(frozen=True)
class Plan:
    """What the network of a run will hold, and how it will look as far as that is known."""

    resources: tuple[Resource, ...]
    networks: tuple[Attached, ...] = ()


@dataclass(frozen=True)
class Fault:
    """What is wrong with one interface."""

    network: str
    interface: str
    why: str


@dataclass(frozen=True)
class Networks:
    attachers: Sequence[Attacher]
    """Asked in this order which networks they have."""
    sandboxes: Sandboxes
    default: str

    @property
    def names(self) -> tuple[str, ...]:
        """Return every network that may be asked for by name, the default first."""
        found = [name for attacher in self.attachers for name in attacher.names]
        return tuple(dict.fromkeys((self.default, *found, NONE, HOST)))

    @property
    def ways(self) -> Mapping[Kind, Way]:
        ways = {kind: way for attacher in self.attachers for kind, way in attacher.ways.items()}
        return {**ways, Kind.SANDBOX: self._close}

    def resolve(self, spec: Spec) -> str:
        """Return the network mode that ``spec`` means today."""
        if spec.networks:
            return spec.networks[0].name
        return spec.network or self.default

    def unknown(self, spec: Spec) -> Iterator[Violation]:
        """Yield the networks of ``spec`` that are not here, with what may be why."""
        for number, asked in enumerate(attachments(spec, spec.network or self.default)):
            if self._of(asked.name) is None:
                field = f"networks[{number}].name" if spec.networks else "network"
                here = ", ".join(self.names)
                yield Violation(
                    field, f"{asked.name!r} is not here; there are {here}{self._faults()}"
                )

    def _faults(self) -> str:
        found = [each for attacher in self.attachers for each in attacher.faults.items()]
        return "".join(f"; {place} {why}" for place, why in found)

    def violations(self, spec: Spec) -> Iterator[Violation]:
        """Yield what of ``spec`` its networks cannot do."""
        wanted = attachments(spec, self.resolve(spec))
        if spec.ports and not wanted:
            why = f"cannot be published on network {self.resolve(spec)!r}"
            yield Violation("ports", why)
        for number, asked in enumerate(wanted):
            if attacher := self._of(asked.name):
                for found in attacher.violations(asked):
                    yield replace(found, field=_path(spec, number, found.field))

    def planned(self, snapshot: Snapshot, run: int) -> Plan:
        """Return what a run would hold. Nothing is reserved."""
        wanted = tuple(
            resource
            for request in self._requests(snapshot, run)
            for resource in self._attacher(request.asked).planned(request)
        )
        return Plan((*wanted, *_sandbox(snapshot, run)))

    @contextmanager
    def reserved(self, snapshot: Snapshot, run: int) -> Iterator[Plan]:
        """Reserve what a run will hold, until its record names that."""
        taken: list[tuple[Attacher, Reservation]] = []
        try:
            for request in self._requests(snapshot, run):
                attacher = self._attacher(request.asked)
                taken.append((attacher, attacher.reserve(request)))
            resources = [r for _, reservation in taken for r in reservation.resources]
            networks = tuple(reservation.attached for _, reservation in taken)
            yield Plan((*resources, *_sandbox(snapshot, run)), networks)
        finally:
            for attacher, reservation in taken:
                attacher.settle(reservation)

    async def open(self, snapshot: Snapshot) -> Sandbox:
        """Return the new namespace in which a run is to live. Raises NetworkFailed."""
        run = run_id(snapshot.id, snapshot.run)
        try:
            return await self.sandboxes.make(run, set_up_loopback)
        except OSError as error:
            raise errors.NetworkFailed(f"cannot make network namespace: {error}") from error

    async def adopt(self, snapshot: Snapshot, pid: int) -> Sandbox:
        """Return the namespace that the runtime made for a run. Raises NetworkFailed."""
        try:
            return await self.sandboxes.adopt(run_id(snapshot.id, snapshot.run), pid)
        except OSError as error:
            raise errors.NetworkFailed(f"cannot open network namespace: {error}") from error

    async def attach(self, snapshot: Snapshot, sandbox: Sandbox) -> tuple[Attached, ...]:
        """Give a run its interfaces, one after the other. Raises NetworkFailed."""
        attached = []
        requests = self._requests(snapshot, snapshot.run)
        for request, planned in zip(requests, snapshot.networks, strict=True):
            attacher = self._attacher(request.asked)
            attached.append(await attacher.attach(sandbox, request, planned))
        return tuple(attached)

    async def ready(self, snapshot: Snapshot) -> None:
        """Raise NetworkFailed if it is known that a start would fail now for want of a network."""
        for request in self._requests(snapshot, snapshot.run + 1):
            await self._attacher(request.asked).ready(request.asked)

    async def check(self, snapshot: Snapshot) -> list[Fault]:
        """Return what is wrong with the interfaces of a run that lives."""
        alive = isinstance(snapshot.state, Running | Frozen | Stopping)
        requests = self._requests(snapshot, snapshot.run) if alive else ()
        known = [(request, self._of(request.asked.name)) for request in requests]
        faults = [
            Fault(request.asked.name, request.interface, await attacher.check(request))
            for request, attacher in known
            if attacher is not None
        ]
        return [fault for fault in faults if fault.why]

    async def recall(self, snapshot: Snapshot) -> tuple[Attached, ...]:
        """Return the interfaces of a run that was begun by a server before this one."""
        requests = self._requests(snapshot, snapshot.run)
        recalled = [
            self._recalled(request, planned)
            for request, planned in zip(requests, snapshot.networks, strict=True)
        ]
        return tuple(await asyncio.gather(*recalled))

    async def _recalled(self, request: AttachRequest, planned: Attached) -> Attached:
        attacher = self._of(planned.network)
        return planned if attacher is None else await attacher.recall(request, planned)

    async def left(self) -> list[Left]:
        """Return all that is on the host of any network, whether a record names it or not."""
        return [found for attacher in self.attachers for found in await attacher.left()]

    async def _close(self, run: str) -> bool:
        return self.sandboxes.close(RunId(run))

    def _requests(self, snapshot: Snapshot, run: int) -> list[AttachRequest]:
        return [
            AttachRequest(
                snapshot.id, run, f"eth{number}", asked, first=number == 0, dns=snapshot.spec.dns
            )
            for number, asked in enumerate(attachments(snapshot.spec, snapshot.network))
        ]

    def _attacher(self, asked: Attachment) -> Attacher:
        attacher = self._of(asked.name)
        if attacher is None:  # it was there when the container was admitted
            raise errors.NetworkFailed(f"cannot attach to network {asked.name!r}: it is gone")
        return attacher

    def _of(self, network: str) -> Attacher | None:
        return next((a for a in self.attachers if network in a.names), None)


def _path(spec: Spec, number: int, field: str) -> str:
    """Return where a caller wrote what is wrong with an attachment."""
    if field.startswith("ports"):
        return field
    return f"networks[{number}].{field}" if spec.networks else "network"


def _sandbox(snapshot: Snapshot, run: int) -> tuple[Resource, ...]:
    """Return the sandbox as a resource, for a run that has interfaces."""
    if not attachments(snapshot.spec, snapshot.network):
        return ()
    return (Resource(Kind.SANDBOX, run_id(snapshot.id, run), run),)
