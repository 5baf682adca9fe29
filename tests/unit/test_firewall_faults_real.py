"""Whatever request to the kernel fails, and whether it had happened: as before, after the undo.

The kernel is the real one, in namespaces; requests on their way to it are lost, or its answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from moored import errors
from moored.model.identity import RunId
from moored.model.ports import PortMapping, Protocol
from moored.network.firewall import Firewall
from moored.network.passage import Passage
from tests.real.town import FACTS, ONE, ONE6, OTHER, TABLE, Town

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from moored.model.ports import Family
    from moored.network.firewall_table import BridgeFacts
    from moored.network.host_kernel import HostKernel
    from moored.network.rule_events import Changes

pytestmark = pytest.mark.real

T = TypeVar("T")
RUN, OTHER_RUN = RunId("1.1"), RunId("2.1")
PORTS = (PortMapping(80, 8080), PortMapping(53, 5353, Protocol.UDP))
WALL = "iptables -P FORWARD DROP; ip6tables -P FORWARD DROP"
SOON_ENOUGH = 40
"""More requests than any deed takes."""


@dataclass
class Unreliable:
    """A kernel that loses the request numbered ``lost``, from 1, or the answer to it."""

    kernel: HostKernel
    lost: int = 0
    answer_only: bool = False
    asked: int = 0

    def run(self, commands: str) -> None:
        self._ask(lambda: self.kernel.run(commands))

    def listing(self, command: str) -> list[dict[str, Any]]:
        return self._ask(lambda: self.kernel.listing(command))

    def table(self) -> list[dict[str, Any]]:
        return self._ask(self.kernel.table)

    def changes(self) -> Changes:
        return self.kernel.changes()

    def turn_on(self, bridge: BridgeFacts) -> None:
        self._ask(lambda: self.kernel.turn_on(bridge))

    def forget_udp(self, ports: range, families: Iterable[Family]) -> int:
        return self._ask(lambda: self.kernel.forget_udp(ports, families))

    def lose(self, number: int, *, answer_only: bool) -> None:
        self.lost, self.answer_only, self.asked = number, answer_only, 0

    def recover(self) -> bool:
        """Lose nothing more, and return whether anything was lost."""
        lost, self.lost = self.lost, 0
        return 0 < lost <= self.asked

    def _ask(self, deed: Callable[[], T]) -> T:
        self.asked += 1
        if self.asked != self.lost:
            return deed()
        if self.answer_only:
            deed()
        raise errors.NetworkFailed("cannot hear the kernel")


@pytest.fixture
def town() -> Iterator[Town]:
    with Town() as built:
        built.host.command("sh", "-c", WALL)
        yield built


@pytest.fixture
def kernel(town: Town) -> Iterator[Unreliable]:
    _, real = town.firewall()
    yield Unreliable(real)
    real.close()


@pytest.fixture
def firewall(kernel: Unreliable) -> Firewall:
    return Firewall(TABLE, FACTS, kernel, Passage(kernel, (), FACTS, "cooperate", TABLE))


def join(town: Town, firewall: Firewall) -> None:
    town.host.run(lambda: firewall.join(RUN, (ONE, ONE6), PORTS))


def leave(town: Town, firewall: Firewall) -> bool:
    return town.host.run(lambda: firewall.leave(RUN))


@pytest.mark.parametrize("answer_only", [False, True])
@pytest.mark.parametrize("alone", [False, True])
def test_a_join_that_breaks_is_undone(
    town: Town, kernel: Unreliable, firewall: Firewall, alone: bool, answer_only: bool
) -> None:
    if not alone:
        town.host.run(lambda: firewall.join(OTHER_RUN, (OTHER,), ()))
    before = town.host.rules()
    for number, _ in _each(kernel, lambda: join(town, firewall), answer_only=answer_only):
        assert leave(town, firewall), number
        assert town.host.rules() == before, number
    assert leave(town, firewall)
    assert town.host.rules() == before


@pytest.mark.parametrize("answer_only", [False, True])
@pytest.mark.parametrize("alone", [False, True])
def test_a_leave_that_breaks_is_done_by_the_next(
    town: Town, kernel: Unreliable, firewall: Firewall, alone: bool, answer_only: bool
) -> None:
    if not alone:
        town.host.run(lambda: firewall.join(OTHER_RUN, (OTHER,), ()))
    before = town.host.rules()
    join(town, firewall)
    for number, failed in _each(kernel, lambda: leave(town, firewall), answer_only=answer_only):
        assert leave(town, firewall) is failed, number
        assert not leave(town, firewall), number
        assert town.host.rules() == before, number
        join(town, firewall)
    assert town.host.rules() == before


def _each(
    kernel: Unreliable, deed: Callable[[], object], *, answer_only: bool
) -> Iterator[tuple[int, bool]]:
    """Do ``deed`` with each of its requests lost in turn, until it has no more of them.

    Yields the request's number, and whether the deed failed: some find another way.
    """
    for number in range(1, SOON_ENOUGH):
        kernel.lose(number, answer_only=answer_only)
        failed = False
        try:
            deed()
        except errors.MooredError:
            failed = True
        if not kernel.recover():
            assert number > 1
            return
        yield number, failed
    pytest.fail("asks without end")
