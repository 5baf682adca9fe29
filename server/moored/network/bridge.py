"""The built-in network: a bridge of this host, a pair of interfaces for each run.

No process is started for it: the kernel is asked by netlink, from a thread that ends. The host's
end is on record by its name, the addresses by themselves, and the bridge with each run on it.
"""

from __future__ import annotations

import ipaddress
from functools import partial
from typing import TYPE_CHECKING, Final

from moored import errors
from moored.errors import Violation
from moored.model.network import BRIDGE, Attached
from moored.model.resources import Kind, Resource
from moored.network import messages, namespaces, sysctls
from moored.network.addresses import Addresses
from moored.network.attaching import AttachRequest, Left, Reservation
from moored.network.bridge_link import BridgeLink
from moored.network.layout import mac_bytes
from moored.network.netlink import Netlink
from moored.uninterrupted import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from moored.holdings import Holdings
    from moored.model.network import Attachment
    from moored.network.attaching import Way
    from moored.network.layout import Layout
    from moored.network.netlink import Message
    from moored.network.sandboxes import Sandbox


class Bridge:
    names: Final = (BRIDGE,)

    def __init__(
        self, layout: Layout, holdings: Holdings, netlink: Callable[[], Netlink] = Netlink
    ) -> None:
        self.layout: Final = layout
        self._addresses = Addresses(layout, holdings)
        self._link = BridgeLink(layout, netlink)
        self._netlink = netlink

    @property
    def faults(self) -> Mapping[str, str]:
        return {}

    @property
    def ways(self) -> Mapping[Kind, Way]:
        return {
            Kind.LINK: self._remove_port,
            Kind.ADDRESS: _let_go,
            Kind.BRIDGE: self._remove_bridge,
        }

    async def left(self) -> Iterable[Left]:
        def found() -> list[Left]:
            return [
                Left(Kind.BRIDGE, name, "") if of == BRIDGE else Left(Kind.LINK, name, of)
                for name, of in self._link.left()
            ]

        return await in_thread(found)

    def violations(self, asked: Attachment) -> Iterator[Violation]:
        yield from self._addresses.violations(asked)
        for field, given in (
            ("bandwidth", asked.bandwidth),
            ("aliases", asked.aliases),
            ("cni_args", asked.arguments),
        ):
            if given:
                yield Violation(field, f"cannot be had in network {BRIDGE!r}")

    def planned(self, request: AttachRequest) -> tuple[Resource, ...]:
        fixed = {ipaddress.ip_address(text).version: text for text in request.asked.addresses}
        addresses = [
            fixed.get(subnet.version, f"<one of {subnet}>") for subnet in self.layout.subnets
        ]
        return self._resources(request, [*addresses, request.asked.mac_address or "<a MAC>"])

    def reserve(self, request: AttachRequest) -> Reservation:
        chosen, mac = self._addresses.reserve(request.container, request.asked)
        attached = Attached(
            network=BRIDGE,
            interface=request.interface,
            addresses=tuple(map(str, chosen)),
            gateways=tuple(str(gateway.ip) for gateway in self.layout.gateways)
            if request.first
            else (),
            mac_address=mac,
        )
        return Reservation(
            self._resources(request, [*(str(one.ip) for one in chosen), mac]), attached
        )

    def settle(self, reservation: Reservation) -> None:
        keys = [r.key for r in reservation.resources if r.kind is Kind.ADDRESS]
        self._addresses.settle(keys)

    async def attach(self, sandbox: Sandbox, request: AttachRequest, planned: Attached) -> Attached:
        try:
            await in_thread(partial(self._attach, sandbox.descriptor, request, planned))
        except OSError as error:
            raise errors.NetworkFailed(
                f"cannot attach to network {BRIDGE!r}: {error}", network=BRIDGE
            ) from error
        return planned

    async def ready(self, asked: Attachment) -> None:
        """It is: nothing but the host's own kernel is asked."""

    async def check(self, request: AttachRequest) -> str:
        return ""

    async def recall(self, request: AttachRequest, planned: Attached) -> Attached:
        return planned

    def _attach(self, namespace: int, request: AttachRequest, planned: Attached) -> None:
        name = self.layout.link(request.run_id, request.interface)
        mac = mac_bytes(planned.mac_address)
        self._link.add_port(name, request.interface, mac, namespace)
        self._link.set_port(name, of=request.run_id)
        namespaces.within(namespace, partial(self._set_up, planned))

    def _set_up(self, planned: Attached) -> None:
        """Give the container's end what it is to have, from inside its namespace."""
        name = planned.interface
        addresses = [ipaddress.ip_interface(text) for text in planned.addresses]
        sysctls.write(name, sysctls.STATION if self.layout.has_ipv6 else sysctls.STATION_IPV4)
        with self._netlink() as netlink:
            found = netlink.get(messages.get_link(name))
            if found is None:
                raise OSError(f"interface {name!r} is gone")
            index = messages.read_link(found).index
            netlink.ask(
                *(messages.new_address(index, address, name) for address in addresses),
                messages.set_up(name),
                *_routes(index, planned.gateways),
            )

    def _resources(self, request: AttachRequest, keys: Sequence[str]) -> tuple[Resource, ...]:
        run = request.run
        return (
            Resource(Kind.BRIDGE, self.layout.bridge, run),
            *(Resource(Kind.ADDRESS, key, run) for key in keys),
            Resource(Kind.LINK, self.layout.link(request.run_id, request.interface), run),
        )

    async def _remove_port(self, key: str) -> bool:
        return await in_thread(partial(self._link.remove_port, key))

    async def _remove_bridge(self, key: str) -> bool:
        return await in_thread(self._link.remove_if_idle)


async def _let_go(key: str) -> bool:
    """There is nothing to undo: an address is free once no record names it."""
    return True


def _routes(index: int, gateways: Sequence[str]) -> list[Message]:
    return [messages.new_default_route(index, ipaddress.ip_address(g)) for g in gateways]
