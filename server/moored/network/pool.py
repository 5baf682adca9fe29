"""Which address comes next: the one after the last that was given, and so the longest unused."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from moored.network.layout import Address, Interface

_MOST_LOOKED_AT: Final = 2**20
"""More than a host has containers: where as many are taken in a row, there is no room."""


class Pool:
    """The addresses of one subnet. ``gateway`` is the one that is no container's."""

    def __init__(self, gateway: Interface) -> None:
        self._gateway = gateway.ip
        self.network: Final = gateway.network
        size = self.network.num_addresses
        # Both ends of a subnet mean something else; in IPv6 only the first does.
        self._first, self._last = 1, size - 2 if self.network.version == 4 else size - 1
        self._given = 0

    def next(self, is_free: Callable[[Address], bool]) -> Address | None:
        """Return a free address, or None: there is none."""
        after = range(self._given + 1, min(self._last, self._given + _MOST_LOOKED_AT) + 1)
        before = range(self._first, min(self._given, _MOST_LOOKED_AT) + 1)
        for number in chain(after, before):
            address = self.network.network_address + number
            if address != self._gateway and is_free(address):
                self._given = number
                return address
        return None
