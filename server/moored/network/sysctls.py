"""Settings of one interface, in the network namespace of the thread that writes them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_NET: Final = Path("/proc/sys/net")

NO_IPV6: Final = {"ipv6": {"disable_ipv6": "1"}}
"""Not even an address of its own making."""
QUIET_PORT: Final = NO_IPV6
"""Of a bridge's port: it only passes on what others say."""
STATION: Final = {"ipv4": {"arp_notify": "1"}, "ipv6": {"accept_ra": "0", "ndisc_notify": "1"}}
"""Tells its neighbours when it is new, and lets none of them say where its routes lead."""
STATION_IPV4: Final = {"ipv4": {"arp_notify": "1"}, **NO_IPV6}


def write(interface: str, settings: Mapping[str, Mapping[str, str]]) -> None:
    """Write settings by protocol and name. What a kernel without the protocol lacks is off."""
    for protocol, values in settings.items():
        place = _NET / protocol / "conf" / interface
        for name, value in values.items():
            try:
                (place / name).write_text(value)
            except FileNotFoundError:
                if (_NET / protocol).exists():
                    raise
