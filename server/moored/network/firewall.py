"""The instance's rules for forwarding, masquerading and published ports, and who needs them.

They are there as long as a run is behind them, and go with the last one: our table, and our
tagged rules in the chains of others. What is wanted is in memory and is written as one
transaction; what somebody else did to it is noticed before each change, and mended. Everything
here blocks for a moment, and takes turns: it is called from threads.
"""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from loguru import logger

from moored import errors
from moored.model.ports import PortMapping, family_of
from moored.model.ports import Protocol as Transport
from moored.network import firewall_table, named_elements
from moored.network.firewall_table import BridgeFacts, Way
from moored.network.rule_events import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from moored.model.identity import RunId
    from moored.model.ports import Family
    from moored.network.passage import Passage
    from moored.network.rule_events import Changes


class Kernel(Protocol):
    """What of this host's network the firewall moves."""

    def run(self, commands: str) -> None: ...
    def table(self) -> list[dict[str, Any]]: ...
    def changes(self) -> Changes: ...
    def turn_on(self, bridge: BridgeFacts) -> None: ...
    def forget_udp(self, ports: range, families: Iterable[Family]) -> int: ...


@dataclass(frozen=True)
class Member:
    """A run behind the firewall: its addresses, and what of it is published."""

    addresses: tuple[str, ...]
    ports: tuple[PortMapping, ...] = ()

    @property
    def ways(self) -> Iterator[Way]:
        for mapping in self.ports:
            host_ip = "" if mapping.everywhere else mapping.host_ip
            for address in self.addresses:
                if family_of(address) in mapping.families:
                    for host_port, container_port in mapping.pairs:
                        yield Way(mapping.protocol, host_ip, host_port, address, container_port)


class Firewall:
    def __init__(self, name: str, bridge: BridgeFacts, kernel: Kernel, passage: Passage) -> None:
        self._name = name
        self._bridge = bridge
        self._kernel = kernel
        self._passage = passage
        self._members: dict[RunId, Member] = {}
        self._standing = False
        """Whether our table is as we left it, as far as we know."""
        self.blocked = ""
        """Why others' chains cut off those who are in."""
        self._turn = threading.Lock()

    def join(self, run: RunId, addresses: Sequence[str], ports: Sequence[PortMapping]) -> None:
        """Take a run in. Raises ForwardingBlocked or NetworkFailed; ``leave`` undoes it then too.

        A second identical call writes the same again.
        """
        member = Member(tuple(addresses), tuple(ports))
        with self._turn:
            first = not self._members
            self._members[run] = member
            self._kernel.turn_on(self._bridge)
            changes = self._noticed()
            if first or changes.foreign or self.blocked:
                self._passage.open()
            self._write(firewall_table.additions(self._name, _ways({run: member})), self._members)
            self._forget(member)

    def leave(self, run: RunId) -> bool:
        """Take a run out, with all that was published of it; return whether it was in."""
        with self._turn:
            member = self._members.get(run)
            if member is None:
                return self._clear(run)
            self._noticed()
            rest = {other: kept for other, kept in self._members.items() if other != run}
            if rest:
                self._write(firewall_table.removals(self._name, member.ways), rest)
            else:
                self._dismantle()
            self._forget(member)
            self._members = rest
            return True

    def named(self) -> frozenset[str]:
        """Return the runs whose names are in our table, whoever put them there."""
        with self._turn:
            return frozenset(each.run for each in named_elements.read(self._kernel.table()))

    def restore(self, members: Mapping[RunId, Member]) -> None:
        """Begin with ``members``, whatever rules an earlier process left.

        Without members nothing stays of those. Failures are logged: the runs go on in any case.
        """
        with self._turn:
            self._members = dict(members)
            try:
                if members:
                    self._mend(EVERYTHING)
                else:
                    self._dismantle()
            except errors.MooredError as error:
                logger.warning("cannot restore the rules of the bridge yet: {}", error)

    def mend(self, *, thoroughly: bool = False) -> None:
        """Put right what others changed meanwhile. ``thoroughly`` looks at everything."""
        with self._turn:
            changes = self._noticed()
            if not self._members:
                return
            self._mend(EVERYTHING if thoroughly else changes, rebuild=not self._standing)

    def _mend(self, changes: Changes, *, rebuild: bool = True) -> None:
        self._kernel.turn_on(self._bridge)
        if rebuild:
            self._build(self._members)
        if changes.foreign:
            self._look_at_passage()

    def _look_at_passage(self) -> None:
        """Those who are in already cannot be refused: say it once, and go on."""
        try:
            self._passage.open()
        except errors.ForwardingBlocked as error:
            if str(error) != self.blocked:
                logger.warning("containers on the bridge are cut off: {}", error)
            self.blocked = str(error)
        else:
            self.blocked = ""

    def _noticed(self) -> Changes:
        changes = self._kernel.changes()
        if changes.ours:
            if self._members:
                logger.warning("somebody changed table inet {}: it is built anew", self._name)
            self._standing = False
        return changes

    def _write(self, change: str, members: Mapping[RunId, Member]) -> None:
        """Make one change; where that does not work, write the whole table for ``members``."""
        if self._standing:
            try:
                self._kernel.run(change)
            except errors.NetworkFailed as error:
                logger.debug("cannot make one change of table {}: {}", self._name, error)
            else:
                return
        self._build(members)

    def _build(self, members: Mapping[RunId, Member]) -> None:
        self._standing = False
        self._kernel.run(firewall_table.table(self._name, self._bridge, _ways(members)))
        self._standing = True

    def _dismantle(self) -> None:
        self._passage.close()
        self._standing = False
        self._kernel.run(firewall_table.no_table(self._name))

    def _clear(self, run: str) -> bool:
        """Take out what bears the name of a run that is not in; return whether anything did."""
        there = list(named_elements.read(self._kernel.table()))
        gone = [each for each in there if each.run == run]
        if not gone:
            return False
        self._kernel.run(firewall_table.removals(self._name, gone))
        # Without its bridge nobody is behind a table, whoever knows of whom.
        if len(gone) == len(there) and not _is_there(self._bridge.interface):
            self._dismantle()
        return True

    def _forget(self, member: Member) -> None:
        for mapping in member.ports:
            if mapping.protocol is Transport.UDP:
                ports = range(mapping.host_port, mapping.host_port + mapping.width)
                self._kernel.forget_udp(ports, mapping.families & self._bridge.families)


def _is_there(interface: str) -> bool:
    return any(name == interface for _, name in socket.if_nameindex())


def _ways(members: Mapping[RunId, Member]) -> Iterator[tuple[str, Way]]:
    return ((run, way) for run, member in members.items() for way in member.ways)
