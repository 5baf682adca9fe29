"""An attacher whose runs are behind the edge: they get out, and are reached by published ports.

Adds that to another attacher; how the interface is made stays the other's.
Ports are taken with the rest of the reservation, so that the record names those that were chosen.
"""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from moored.errors import Violation
from moored.model.identity import RunId, parse_run_id
from moored.model.resources import Kind, Resource
from moored.network.attaching import Left, Reservation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from moored.holdings import Holdings
    from moored.model.network import Attached, Attachment
    from moored.network.attaching import Attacher, AttachRequest, Way
    from moored.network.edge import Edge
    from moored.network.sandboxes import Sandbox


class Publishing:
    def __init__(self, inner: Attacher, edge: Edge, holdings: Holdings) -> None:
        self.inner: Final = inner
        self.edge: Final = edge
        self._holdings: Final = holdings
        # Also of a start that failed before its run was anything to be forwarded for.
        holdings.when_free(Kind.PORTS, lambda run: edge.drop(RunId(run)))

    @property
    def names(self) -> tuple[str, ...]:
        return self.inner.names

    @property
    def faults(self) -> Mapping[str, str]:
        return self.inner.faults

    @property
    def ways(self) -> Mapping[Kind, Way]:
        return {Kind.PORTS: self.edge.leave, **self.inner.ways}

    async def left(self) -> Iterable[Left]:
        named = [run for run in await self.edge.named() if parse_run_id(run)]
        return [*(Left(Kind.PORTS, run, run) for run in named), *await self.inner.left()]

    def violations(self, asked: Attachment) -> Iterator[Violation]:
        if why := self.edge.fault():
            yield Violation("name", f"is not to be had on this host: {why}")
            return
        yield from self.edge.violations(asked.ports)
        yield from self.inner.violations(asked)

    def planned(self, request: AttachRequest) -> tuple[Resource, ...]:
        return (_resource(request), *self.inner.planned(request))

    def reserve(self, request: AttachRequest) -> Reservation:
        ports = self.edge.take(request.run_id, request.asked.ports)
        try:
            inner = self.inner.reserve(request)
        except BaseException:
            self.edge.drop(request.run_id)
            raise
        resources = (_resource(request), *inner.resources)
        return Reservation(resources, replace(inner.attached, ports=ports))

    def settle(self, reservation: Reservation) -> None:
        ours, *_ = reservation.resources
        if self._holdings.holder(ours.kind, ours.key) is None:
            self.edge.drop(RunId(ours.key))
        inner = replace(reservation.attached, ports=())
        self.inner.settle(Reservation(reservation.resources[1:], inner))

    async def attach(self, sandbox: Sandbox, request: AttachRequest, planned: Attached) -> Attached:
        attached = await self.inner.attach(sandbox, request, planned)
        await self.edge.join(request.run_id, bare(attached), planned.ports)
        return replace(attached, ports=planned.ports)

    async def ready(self, asked: Attachment) -> None:
        await self.inner.ready(asked)

    async def check(self, request: AttachRequest) -> str:
        return await self.inner.check(request) or self.edge.blocked

    async def recall(self, request: AttachRequest, planned: Attached) -> Attached:
        return replace(await self.inner.recall(request, planned), ports=planned.ports)


def bare(attached: Attached) -> tuple[str, ...]:
    """Return the addresses of an interface, without the lengths of their prefixes."""
    return tuple(str(ipaddress.ip_interface(address).ip) for address in attached.addresses)


def _resource(request: AttachRequest) -> Resource:
    return Resource(Kind.PORTS, request.run_id, request.run)
