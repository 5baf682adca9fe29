"""One host with a bridge, two containers on it, and another machine beside it: in namespaces.

```
neighbour 10.9.0.2 ── uplink 10.9.0.1 host bridge 10.8.0.1 ─┬─ 10.8.0.2 one
          fd09::2             fd09::1             fd08::1    └─ 10.8.0.3 other
```
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, Self

from moored.network.firewall import Firewall
from moored.network.firewall_table import BridgeFacts
from moored.network.host_kernel import HostKernel
from moored.network.legacy_tables import LegacyTable
from moored.network.passage import Mode, Passage
from tests.real.machines import Machine, address, cable

if TYPE_CHECKING:
    from types import TracebackType

BRIDGE: Final = "mbr0"
TABLE: Final = "moored-town"
FACTS: Final = BridgeFacts(BRIDGE, ("10.8.0.0/24", "fd08::/64"))
HOST, HOST6 = "10.9.0.1", "fd09::1"
NEIGHBOUR, NEIGHBOUR6 = "10.9.0.2", "fd09::2"
GATEWAY, GATEWAY6 = "10.8.0.1", "fd08::1"
ONE, ONE6 = "10.8.0.2", "fd08::2"
OTHER, OTHER6 = "10.8.0.3", "fd08::3"


class Street:
    """A host, and another machine beside it."""

    def __init__(self) -> None:
        self._machines = ExitStack()
        self.host = self._machine("host")
        self.neighbour = self._machine("neighbour")

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            undo.push(self._machines)
            self._build()
            undo.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._machines.__exit__(kind, error, trace)

    def _machine(self, name: str) -> Machine:
        return self._machines.enter_context(Machine(name))

    def _build(self) -> None:
        cable(self.host, self.neighbour, ("uplink", "uplink"))
        address(self.host, "uplink", f"{HOST}/24", f"{HOST6}/64")
        address(self.neighbour, "uplink", f"{NEIGHBOUR}/24", f"{NEIGHBOUR6}/64")


class Town(Street):
    """The same with a bridge, and two that stand for containers on it."""

    def __init__(self) -> None:
        super().__init__()
        self.one = self._machine("one")
        self.other = self._machine("other")

    def firewall(
        self, mode: Mode = "cooperate", facts: BridgeFacts = FACTS
    ) -> tuple[Firewall, HostKernel]:
        """Return a firewall of this host, and its kernel, which the caller closes."""

        def opened() -> tuple[Firewall, HostKernel]:
            kernel = HostKernel(TABLE)
            old = [LegacyTable(family) for family in sorted(facts.families)]
            passage = Passage(kernel, old, facts, mode, TABLE)
            return Firewall(TABLE, facts, kernel, passage), kernel

        return self.host.run(opened)

    def _build(self) -> None:
        super()._build()
        self.host.ip("link", "add", BRIDGE, "type", "bridge")
        address(self.host, BRIDGE, f"{GATEWAY}/24", f"{GATEWAY6}/64")
        self.host.ip("link", "set", BRIDGE, "up")
        for number, container in enumerate((self.one, self.other)):
            end = f"port{number}"
            cable(self.host, container, (end, "eth0"))
            self.host.ip("link", "set", end, "master", BRIDGE)
            self.host.command("bridge", "link", "set", "dev", end, "hairpin", "on")
            own = ((ONE, ONE6), (OTHER, OTHER6))[number]
            address(container, "eth0", f"{own[0]}/24", f"{own[1]}/64")
            container.ip("route", "add", "default", "via", GATEWAY)
            container.ip("-6", "route", "add", "default", "via", GATEWAY6)
