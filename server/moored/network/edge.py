"""Between the bridge and everything else: ports that are taken, and rules that use them.

The only door of the firewall for the rest of moored. A host that cannot have one is told from
``fault``, and has the other networks all the same; it is asked again each time, since somebody
may have installed what was missing.
"""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from loguru import logger

from moored import errors
from moored.errors import Violation
from moored.model.identity import RunId
from moored.network import firewall_table
from moored.network.firewall import Firewall, Member
from moored.network.held_ports import is_local
from moored.network.host_kernel import HostKernel
from moored.network.legacy_tables import LegacyTable
from moored.network.passage import Passage
from moored.network.published import PublishedPorts
from moored.uninterrupted import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from moored.model.identity import ContainerId
    from moored.model.ports import PortMapping
    from moored.network.firewall_table import BridgeFacts
    from moored.network.passage import Mode


@dataclass(frozen=True)
class Published:
    """What a run has had of the edge since before this process."""

    run: RunId
    addresses: tuple[str, ...]
    ports: tuple[PortMapping, ...]


class Edge:
    def __init__(
        self,
        instance: str,
        bridge: BridgeFacts,
        mode: Mode,
        *,
        container_name: Callable[[ContainerId], str],
    ) -> None:
        self._name = f"moored-{instance}"
        self._bridge = bridge
        self._mode: Mode = mode
        self._ports = PublishedPorts(bridge.families, container_name)
        self._opening = threading.Lock()
        self._in_use = asyncio.Event()
        self._kernel: HostKernel | None = None
        self._firewall: Firewall | None = None

    def fault(self) -> str:
        """Return why this host can have no bridge, and what to do; "" where it can."""
        try:
            self._opened()
        except errors.NetworkFailed as error:
            return error.message
        self._in_use.set()
        return ""

    @property
    def blocked(self) -> str:
        """Why nothing is forwarded for the bridge just now, as far as was seen, or ""."""
        return self._firewall.blocked if self._firewall else ""

    def violations(self, ports: Sequence[PortMapping]) -> Iterator[Violation]:
        """Yield what of ``ports`` cannot be had on this host, whoever has what now."""
        for number, mapping in enumerate(ports):
            field = f"ports[{number}].host_ip"
            families = mapping.families & self._bridge.families
            if not families:
                yield Violation(field, "is of a family that the bridge has no addresses of")
            elif not mapping.everywhere and not is_local(mapping.host_ip, *families):
                yield Violation(field, f"{mapping.host_ip!r} is no address of this host")

    def take(self, run: RunId, asked: Sequence[PortMapping]) -> tuple[PortMapping, ...]:
        """Take ports for a run, before any of it is on record. Raises PortInUse.

        Returns them with those chosen that were not named. They are let go by ``leave``.
        """
        return self._ports.take(run, asked)

    def drop(self, run: RunId) -> None:
        """Let go of what was taken for a run that came to nothing before it joined."""
        self._ports.let_go(run)

    async def join(
        self, run: RunId, addresses: Sequence[str], ports: Sequence[PortMapping]
    ) -> None:
        """Forward for a run, and publish its ports. Raises ForwardingBlocked, NetworkFailed."""
        await in_thread(lambda: self._opened().join(run, addresses, ports))

    async def leave(self, key: str) -> bool:
        """End what a run had here, and return whether it had anything."""
        run = RunId(key)
        was_in = self._firewall is not None and await in_thread(partial(self._firewall.leave, run))
        return self._ports.let_go(run) or was_in

    async def named(self) -> frozenset[str]:
        """Return the runs that rules on this host name, whether a record does or not."""
        try:
            return await in_thread(lambda: self._opened().named())
        except errors.NetworkFailed:  # a host that can have no rules has none
            return frozenset()

    async def restore(self, published: Iterable[Published]) -> None:
        """Begin with what runs had before this process; rules of all others go.

        A host that can have no firewall any more has none to mend, and says so when asked.
        """
        known = list(published)
        if fault := self.fault():
            if known:
                logger.warning("cannot mend the rules of {} runs: {}", len(known), fault)
            return
        await in_thread(partial(self._restore, known))

    def _restore(self, known: Iterable[Published]) -> None:
        for one in known:
            self._ports.restore(one.run, one.ports)
        self._opened().restore({one.run: Member(one.addresses, one.ports) for one in known})

    def mend(self, *, thoroughly: bool) -> None:
        """Put right what others did to the rules, and hold what can be held again."""
        if self._firewall is not None:
            self._firewall.mend(thoroughly=thoroughly)
        if thoroughly:
            self._ports.retry_lost()

    async def watched(self) -> int:
        """Wait for the first use, and return what is readable when somebody changes rules."""
        await self._in_use.wait()
        assert self._kernel is not None
        return self._kernel.fileno()

    def close(self) -> None:
        if self._kernel is not None:
            self._kernel.close()

    def _opened(self) -> Firewall:
        with self._opening:
            if self._firewall is None:
                kernel = self._kernel or HostKernel(self._name)
                self._kernel = kernel
                kernel.check(firewall_table.table(self._name, self._bridge, ()))
                old = [LegacyTable(family) for family in sorted(self._bridge.families)]
                passage = Passage(kernel, old, self._bridge, self._mode, self._name)
                self._firewall = Firewall(self._name, self._bridge, kernel, passage)
            return self._firewall
