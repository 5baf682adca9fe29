"""Which run has which ports of the host: taken before it is on record, held while it lasts."""

from __future__ import annotations

import errno
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from loguru import logger

from moored import errors
from moored.model.identity import ContainerId
from moored.model.ports import PortMapping, place
from moored.network.held_ports import Hold, PortBusy, hold
from moored.network.port_owners import owner_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from moored.model.identity import RunId
    from moored.model.ports import Family


@dataclass
class Claimed:
    """The ports of one run. Those without a hold were taken by somebody while moored was away."""

    holds: list[Hold] = field(default_factory=list)
    lost: list[PortMapping] = field(default_factory=list)

    @property
    def mappings(self) -> list[PortMapping]:
        return [*(one.mapping for one in self.holds), *self.lost]


class PublishedPorts:
    """Safe to use from several threads. ``name`` tells what people call a container."""

    def __init__(self, families: frozenset[Family], name: Callable[[ContainerId], str]) -> None:
        self._families = families
        self._name = name
        self._claimed: dict[RunId, Claimed] = {}
        self._lock = threading.Lock()

    def take(self, run: RunId, asked: Sequence[PortMapping]) -> tuple[PortMapping, ...]:
        """Hold all of ``asked`` for a run, or nothing. Raises PortInUse, naming who has it.

        Returns them with the ports that were chosen where none was named.
        """
        with self._lock:
            claimed = Claimed()
            try:
                for mapping in asked:
                    claimed.holds.append(self._hold(mapping))
            except BaseException:
                _let_go(claimed)
                raise
            self._claimed[run] = claimed
            return tuple(claimed.mappings)

    def restore(self, run: RunId, published: Iterable[PortMapping]) -> None:
        """Hold again what a run has had since before this process, as far as it can be had."""
        with self._lock:
            claimed = self._claimed.setdefault(run, Claimed())
            for mapping in published:
                self._hold_again(run, claimed, mapping)

    def retry_lost(self) -> None:
        """Try again to hold what others had taken."""
        with self._lock:
            for run, claimed in self._claimed.items():
                lost, claimed.lost = claimed.lost, []
                for mapping in lost:
                    self._hold_again(run, claimed, mapping, quietly=True)

    def let_go(self, run: RunId) -> bool:
        """Let go of a run's ports, and return whether it had any."""
        with self._lock:
            claimed = self._claimed.pop(run, None)
            if claimed is None:
                return False
            _let_go(claimed)
            return bool(claimed.mappings)

    def _hold(self, mapping: PortMapping) -> Hold:
        self._refuse_ours(mapping)
        try:
            return hold(mapping, self._families)
        except PortBusy as busy:
            raise _refusal(mapping, busy) from busy

    def _refuse_ours(self, mapping: PortMapping) -> None:
        for run, claimed in self._claimed.items():
            for other in claimed.mappings:
                if mapping.collides(other):
                    container = ContainerId(run.partition(".")[0])
                    name = self._name(container)
                    raise errors.PortInUse(
                        f"cannot publish port {mapping}: container {name!r} has it",
                        port=str(mapping),
                        container=container,
                    )

    def _hold_again(
        self, run: RunId, claimed: Claimed, mapping: PortMapping, *, quietly: bool = False
    ) -> None:
        try:
            claimed.holds.append(hold(mapping, self._families))
        except PortBusy as busy:
            claimed.lost.append(mapping)
            if not quietly:
                somebody = owner_of(mapping.protocol, busy.port) or "somebody"
                logger.warning(
                    "cannot hold port {} of run {}: {} has taken it meanwhile; it stays published,"
                    " since packets come to us first",
                    mapping, run, somebody,
                )  # fmt: skip


def _let_go(claimed: Claimed) -> None:
    for one in claimed.holds:
        one.let_go()


def _refusal(mapping: PortMapping, busy: PortBusy) -> errors.MooredError:
    taken = f"{place(mapping.host_ip, busy.port)}/{mapping.protocol}"
    if busy.why.errno != errno.EADDRINUSE:
        return errors.NetworkFailed(f"cannot publish port {taken}: {busy.why.strerror}")
    owner = owner_of(mapping.protocol, busy.port) or "somebody"
    return errors.PortInUse(
        f"cannot publish port {taken}: {owner} has it", port=taken, holder=owner
    )
