"""The kernel's switches that a bridge needs: forwarding, and loopback addresses on the bridge.

Forwarding is the host's own setting, and one for all: it is turned on, and stays so, since
nobody can tell who else relies on it by then. It is left alone where it is on already.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from loguru import logger

from moored import errors
from moored.model.ports import Family

if TYPE_CHECKING:
    from moored.network.firewall_table import BridgeFacts

_SWITCHES: Final = Path("/proc/sys/net")
_FORWARD_V4: Final = "ipv4/ip_forward"
_FORWARD_V6: Final = "ipv6/conf/all/forwarding"
_ROUTES: Final = Path("/proc/thread-self/net/ipv6_route")
_FLAGS: Final = 8
"""The column."""
_ADVERTISED: Final = 0x10000 | 0x40000
"""A default route, learned from a router."""


def turn_on(bridge: BridgeFacts) -> None:
    """Make this host forward for ``bridge``. Writes only what is not as it has to be."""
    if Family.V4 in bridge.families:
        _set(_FORWARD_V4, "1", "forwards IPv4 from now on")
        # Or an answer to a connection that this host made from 127.0.0.1 is taken for forged.
        _set(f"ipv4/conf/{bridge.interface}/route_localnet", "1", "")
    if Family.V6 in bridge.families and _get(_FORWARD_V6) != "1":
        _keep_advertised_routes()
        _set(_FORWARD_V6, "1", "forwards IPv6 from now on")


def _keep_advertised_routes() -> None:
    """A router does not listen to other routers, and would lose its own way out."""
    for interface in sorted(_with_advertised_route()):
        name = f"ipv6/conf/{interface}/accept_ra"
        if _get(name) == "1":
            _set(name, "2", "still takes the route that it was told of there")


def _with_advertised_route() -> set[str]:
    """Return the interfaces by which a router has told of itself."""
    try:
        rows = [row.split() for row in _ROUTES.read_text().splitlines()]
    except OSError:  # no IPv6, and nothing to lose
        return set()
    return {row[-1] for row in rows if int(row[_FLAGS], 16) & _ADVERTISED == _ADVERTISED}


def _get(name: str) -> str:
    try:
        return (_SWITCHES / name).read_text().strip()
    except OSError as error:
        why = error.strerror
        raise errors.NetworkFailed(f"cannot read sysctl {_dotted(name)}: {why}") from error


def _set(name: str, value: str, meaning: str) -> None:
    if _get(name) == value:
        return
    try:
        (_SWITCHES / name).write_text(value)
    except OSError as error:
        why = error.strerror
        raise errors.NetworkFailed(f"cannot set sysctl {_dotted(name)}: {why}") from error
    if meaning:
        logger.info("set sysctl {} to {}: this host {}", _dotted(name), value, meaning)


def _dotted(name: str) -> str:
    return name.replace(".", "/").replace("/", ".")
