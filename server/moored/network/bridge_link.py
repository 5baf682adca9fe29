"""The bridge as a link of this host: made with its first port, gone with its last.

One that somebody else made under its name is used as it is, and never changed. Everything here
blocks, and takes turns: a port is never made on a bridge that is being taken away.
"""

from __future__ import annotations

import ipaddress
from threading import Lock
from typing import TYPE_CHECKING

from moored import errors
from moored.network import messages, sysctls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from moored.network.layout import Interface, Layout
    from moored.network.messages import Link
    from moored.network.netlink import Message, Netlink

_ONLY_IPV4 = sysctls.NO_IPV6
_OF_ROUTER = {"ipv6": {"accept_ra": "0", "accept_dad": "0"}}


class BridgeLink:
    def __init__(self, layout: Layout, netlink: Callable[[], Netlink]) -> None:
        self._layout = layout
        self._netlink = netlink
        self._turn = Lock()
        self._seen = 0
        """The index of the bridge that was found, or made, as it should be."""

    def add_port(self, name: str, peer: str, peer_mac: bytes, namespace: int) -> None:
        """Make a pair of interfaces, of which one is a port here. Raises OSError, NetworkFailed."""
        layout = self._layout
        with self._turn, self._netlink() as netlink:
            bridge = self._there(netlink)
            pair = messages.new_pair(
                name,
                bridge=bridge.index,
                mtu=layout.mtu,
                peer=peer,
                peer_mac=peer_mac,
                namespace=namespace,
            )
            netlink.ask(pair)
            sysctls.write(name, sysctls.QUIET_PORT)

    def set_port(self, name: str, of: str) -> None:
        """Let a port say whose it is and whom it may talk to, and set it up."""
        layout = self._layout
        with self._netlink() as netlink:
            port = messages.set_port(name, alias=layout.alias(of), isolated=layout.isolated)
            netlink.ask(port, messages.set_up(name))

    def remove_port(self, name: str) -> bool:
        """Take away a port with its peer, and return whether it was there."""
        with self._netlink() as netlink:
            found = _find(netlink, name)
            if found is not None:
                netlink.ask(messages.delete_link(found.index, name))
        return found is not None

    def left(self) -> Iterator[tuple[str, str]]:
        """Yield every link that says it is ours, and which run it says it is of."""
        ours = self._layout.alias("")
        with self._netlink() as netlink:
            for found in map(messages.read_link, netlink.list(messages.list_links())):
                if found.alias.startswith(ours):
                    yield found.name, found.alias.removeprefix(ours)

    def remove_if_idle(self) -> bool:
        """Take the bridge away if it is ours and has no port, and return whether that was so."""
        with self._turn, self._netlink() as netlink:
            found = _find(netlink, self._layout.bridge)
            if found is None or not self._is_ours(found):
                return False
            if any(True for _ in netlink.list(messages.list_links(master=found.index))):
                return False
            netlink.ask(messages.delete_link(found.index, found.name))
            return True

    def _there(self, netlink: Netlink) -> Link:
        """Return the bridge, which is made if need be."""
        found = _find(netlink, self._layout.bridge)
        if found is None:
            self._refuse_overlaps(netlink)
            netlink.ask(self._new())
            found = _find(netlink, self._layout.bridge)
            assert found is not None
        if found.index != self._seen:
            self._look_at(netlink, found)
            self._seen = found.index
        return found

    def _new(self) -> Message:
        layout = self._layout
        return messages.new_bridge(layout.bridge, mac=layout.bridge_mac, mtu=layout.mtu)

    def _look_at(self, netlink: Netlink, found: Link) -> None:
        """Complete a bridge of ours; refuse another's that is not as we need it."""
        missing = [g for g in self._layout.gateways if g not in _addresses(netlink, found.index)]
        if self._is_ours(found):
            settings = _OF_ROUTER if self._layout.has_ipv6 else _ONLY_IPV4
            sysctls.write(found.name, settings)
            netlink.ask(
                *(messages.new_address(found.index, gateway, found.name) for gateway in missing),
                messages.set_up(found.name, alias=self._layout.alias("bridge")),
            )
            return
        what = f"cannot use link {found.name!r}, which is not this server's"
        if found.kind != "bridge":
            raise errors.NetworkFailed(f"{what}: it is no bridge; set another bridge_name")
        if missing or not found.up:
            wanted = ", ".join(map(str, missing))
            why = f"it does not have {wanted}" if missing else "it is down"
            raise errors.NetworkFailed(f"{what}: {why}; mend that, or set another bridge_name")

    def _is_ours(self, found: Link) -> bool:
        return found.kind == "bridge" and found.mac == self._layout.bridge_mac

    def _refuse_overlaps(self, netlink: Netlink) -> None:
        """Refuse subnets that this host has elsewhere: one of the two would be cut off."""
        for subnet in self._layout.subnets:
            for elsewhere in _networks(netlink, subnet.version):
                if elsewhere.prefixlen >= subnet.prefixlen and elsewhere.overlaps(subnet):
                    raise errors.NetworkFailed(
                        f"cannot make bridge {self._layout.bridge!r}: subnet {subnet} is in use"
                        f" ({elsewhere}); set another bridge_subnet"
                    )


def _find(netlink: Netlink, name: str) -> Link | None:
    payload = netlink.get(messages.get_link(name))
    return messages.read_link(payload) if payload else None


def _addresses(netlink: Netlink, index: int) -> set[Interface]:
    found = (messages.read_address(each) for each in netlink.list(messages.list_addresses()))
    return {
        ipaddress.ip_interface((raw, prefix)) for on, raw, prefix in found if on == index and raw
    }


def _networks(
    netlink: Netlink, version: int
) -> Iterator[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """Yield where this host's routes lead, but for the default ones."""
    for payload in netlink.list(messages.list_routes(version)):
        _, raw, length = messages.read_route(payload)
        if raw and length:
            yield ipaddress.ip_network((raw, length))
