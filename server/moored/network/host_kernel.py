"""The kernel of this host, as the firewall moves it: rules, switches, remembered conversations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from moored.network import conntrack, forwarding
from moored.network.nftables import Nftables
from moored.network.rule_events import RuleEvents

if TYPE_CHECKING:
    from collections.abc import Iterable

    from moored.model.ports import Family
    from moored.network.firewall_table import BridgeFacts
    from moored.network.rule_events import Changes


class HostKernel:
    """Of the network namespace in which it was opened. ``table`` is the one that is ours."""

    def __init__(self, table: str) -> None:
        self._table: Final = table
        self._nftables: Final = Nftables()
        self._events: Final = RuleEvents(table)

    def run(self, commands: str) -> None:
        self._nftables.run(commands)

    def check(self, commands: str) -> None:
        self._nftables.check(commands)

    def listing(self, command: str) -> list[dict[str, Any]]:
        return self._nftables.listing(command)

    def table(self) -> list[dict[str, Any]]:
        """Return all that is in the table that is ours; nothing, if there is none."""
        tables = self._nftables.listing("list tables inet")
        if not any(each.get("table", {}).get("name") == self._table for each in tables):
            return []
        return self._nftables.listing(f"list table inet {self._table}", elements=True)

    def changes(self) -> Changes:
        return self._events.changes()

    def fileno(self) -> int:
        """Return what becomes readable when somebody changes rules."""
        return self._events.fileno()

    def turn_on(self, bridge: BridgeFacts) -> None:
        forwarding.turn_on(bridge)

    def forget_udp(self, ports: range, families: Iterable[Family]) -> int:
        return conntrack.forget_udp(ports, families)

    def close(self) -> None:
        self._events.close()
        self._nftables.close()
