"""Who gets which addresses on the bridge: fixed ones as asked for, others the next that are free.

Law: an address is taken as long as a record names it, or a start is about to put it on record.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

from moored import errors
from moored.errors import Violation
from moored.model.resources import Kind
from moored.network.layout import mac_of
from moored.network.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moored.holdings import Holdings
    from moored.model.identity import ContainerId
    from moored.model.network import Attachment
    from moored.network.layout import Address, Interface, Layout

_KIND: Final = Kind.ADDRESS


class Addresses:
    def __init__(self, layout: Layout, holdings: Holdings) -> None:
        self._layout = layout
        self._holdings = holdings
        self._pools: dict[int, Pool] = {g.version: Pool(g) for g in layout.gateways}
        self._about: dict[str, ContainerId] = {}
        """What is not on record yet, and who is about to have it there."""

    def violations(self, asked: Attachment) -> Iterator[Violation]:
        subnets = " or ".join(str(subnet) for subnet in self._layout.subnets)
        for number, text in enumerate(asked.addresses):
            if not self._layout.is_for_container(ipaddress.ip_address(text)):
                why = f"must be an address for a container in {subnets}"
                yield Violation(f"addresses[{number}]", why)

    def reserve(self, container: ContainerId, asked: Attachment) -> tuple[list[Interface], str]:
        """Take an address of each version, and a MAC. Raises AddressInUse, AddressesExhausted."""
        fixed: dict[int, Address] = {}
        for address in map(ipaddress.ip_address, asked.addresses):
            fixed[address.version] = address
        taken: list[str] = []
        try:
            chosen = [
                self._take(fixed.get(version) or self._next(version), container, taken)
                for version in self._pools
            ]
            mac = asked.mac_address.lower() or mac_of(_first(chosen))
            self._keep(mac, container, taken)
        except errors.MooredError:
            self.settle(taken)
            raise
        return chosen, mac

    def settle(self, keys: list[str]) -> None:
        """The record names these by now, or they are not wanted."""
        for key in keys:
            self._about.pop(key, None)

    def _take(self, address: Address, container: ContainerId, taken: list[str]) -> Interface:
        self._keep(str(address), container, taken)
        length = self._pools[address.version].network.prefixlen
        return ipaddress.ip_interface(f"{address}/{length}")

    def _keep(self, key: str, container: ContainerId, taken: list[str]) -> None:
        if holder := self._holder(key):
            raise errors.AddressInUse(
                f"cannot use address {key}: container {holder} has it",
                address=key,
                holder=holder,
            )
        self._about[key] = container
        taken.append(key)

    def _next(self, version: int) -> Address:
        pool = self._pools[version]
        address = pool.next(lambda address: self._holder(str(address)) is None)
        if address is None:
            raise errors.AddressesExhausted(
                f"cannot attach to network 'bridge': no address of {pool.network} is free",
                subnet=str(pool.network),
            )
        return address

    def _holder(self, key: str) -> ContainerId | None:
        return self._about.get(key) or self._holdings.holder(_KIND, key)


def _first(chosen: list[Interface]) -> ipaddress.IPv4Address:
    address = chosen[0].ip
    assert isinstance(address, ipaddress.IPv4Address)
    return address
