"""A way for forwarded packets past the chains of others: found open, opened, or refused.

``cooperate`` adds two tagged rules where others drop, and takes them away again. ``own`` adds
nothing: whoever runs the host's firewall lets the bridge through, or hears which chain stops it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from moored import errors
from moored.network import foreign_chains

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from moored.network.firewall_table import BridgeFacts
    from moored.network.foreign_chains import Chain, Thing

Mode = Literal["cooperate", "own"]


class Rules(Protocol):
    """nftables of this host."""

    def run(self, commands: str) -> None: ...
    def listing(self, command: str) -> list[dict[str, Any]]: ...


class OldTable(Protocol):
    """The filter table of iptables from before nftables."""

    def exists(self) -> bool: ...
    def drops(self) -> bool: ...
    def speaks_of(self, interface: str) -> bool: ...
    def open_for(self, interface: str, tag: str) -> None: ...
    def close_for(self, interface: str, tag: str) -> None: ...


@dataclass(frozen=True)
class Passage:
    rules: Rules
    old_tables: Sequence[OldTable]
    bridge: BridgeFacts
    mode: Mode
    tag: str
    """Of our rules in others' chains; the name of our own table too."""

    def open(self) -> None:
        """Let the bridge through wherever it is not. Raises ForwardingBlocked, or NetworkFailed."""
        for chain, table in self._refusing():
            if not foreign_chains.speaks_of(self.bridge.interface, table):
                self._open_chain(chain, table)
        for old in self.old_tables:
            if old.exists() and old.drops() and not old.speaks_of(self.bridge.interface):
                self._refuse_in_own_mode(str(old))
                old.open_for(self.bridge.interface, self.tag)

    def close(self) -> None:
        """Take our rules away, wherever they are. What is not there is no failure."""
        if self.mode == "own":
            return
        for chain in self._chains():
            self._leave_chain(chain)
        for old in self.old_tables:
            if old.exists():
                old.close_for(self.bridge.interface, self.tag)

    def _open_chain(self, chain: Chain, table: list[Thing]) -> None:
        self._refuse_in_own_mode(str(chain))
        place = foreign_chains.entry(chain, table)
        try:
            self.rules.run(foreign_chains.accepts(place, self.bridge.interface, self.tag))
        except errors.NetworkFailed as error:
            raise _blocked(str(chain), f"it takes no rule of ours ({error})") from error

    def _leave_chain(self, chain: Chain) -> None:
        """Take our rules out of a table, though its owner may be changing it meanwhile."""
        for rule in self._ours_in(chain):
            try:
                self.rules.run(foreign_chains.removal(*rule))
            except errors.NetworkFailed:
                if rule in self._ours_in(chain):
                    raise

    def _ours_in(self, chain: Chain) -> list[tuple[Chain, int]]:
        table = self._table(chain)
        return list(foreign_chains.tagged(table, self.bridge.interface, self.tag))

    def _refuse_in_own_mode(self, chain: str) -> None:
        if self.mode == "own":
            why = f"let {self.bridge.interface} through there, or set firewall to cooperate"
            raise _blocked(chain, why)

    def _refusing(self) -> Iterator[tuple[Chain, list[Thing]]]:
        for chain in self._chains():
            table = self._table(chain)
            if foreign_chains.refusing(chain, table):
                yield chain, table

    def _chains(self) -> list[Chain]:
        chains = self.rules.listing("list chains")
        return foreign_chains.forwarding_chains(chains, self.bridge.families, ours=self.tag)

    def _table(self, chain: Chain) -> list[Thing]:
        """Return what is in a chain's table: nothing where its owner has removed it meanwhile."""
        try:
            return self.rules.listing(f"list table {chain.home}")
        except errors.NetworkFailed:
            if chain in self._chains():
                raise
            return []


def _blocked(chain: str, why: str) -> errors.ForwardingBlocked:
    return errors.ForwardingBlocked(
        f"cannot forward for the bridge: chain {chain} drops it; {why}", chain=chain
    )
