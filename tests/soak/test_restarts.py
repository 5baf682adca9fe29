"""moored and containerd are restarted again and again under containers that count aloud and end:
not a number of what they say is missing, none comes twice, and every exit is the true one.

A selection runs with all tests; ``make long`` runs the whole.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pytest

from tests.real.agreement import ledger_resources
from tests.real.wire import Wire
from tests.soak.chatter import (
    TOLD,
    Listener,
    Patient,
    assert_ended,
    briefly,
    miscounted,
    until_told,
)

if TYPE_CHECKING:
    from tests.real.moored import Moored
    from tests.real.site import Site

pytestmark = pytest.mark.real

SEED: Final = 11


@dataclass(frozen=True)
class Size:
    containers: int
    moored: int
    containerd: int

    def __str__(self) -> str:
        return f"{self.containers}-containers-{self.moored}-and-{self.containerd}-restarts"


@dataclass
class Town:
    """Half of the containers count until they are told to end, the others end by themselves."""

    site: Site
    moored: Moored
    size: Size
    over: asyncio.Event = field(default_factory=asyncio.Event)
    went: asyncio.Event = field(default_factory=asyncio.Event)
    """Another one has ended."""
    ended: int = 0
    """Runs that ended by themselves, each with its own code and all of its output."""

    async def live(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            lives = self.size.containers // 2
            for number in range(lives):
                tasks.create_task(self._stays(f"stays-{number}"))
                tasks.create_task(self._comes_and_goes(f"goes-{number}", number))
            tasks.create_task(self._restart())

    async def _stays(self, name: str) -> None:
        async with Wire(self.moored.address) as wire:
            caller = Patient(wire)
            container = await caller.run(until_told(name))
            listener = Listener(wire, container.id)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(listener.listen())
                await self.over.wait()
                await caller.ask(lambda: wire.stop(container.id, grace=30))
            assert_ended(await caller.ended(container.id), TOLD)
            written = await caller.printed(container.id)
            assert miscounted(written) == ""
            assert listener.heard == written
            await caller.remove(container.id)

    async def _comes_and_goes(self, name: str, number: int) -> None:
        codes = random.Random(f"{SEED}/{number}")
        async with Wire(self.moored.address) as wire:
            caller = Patient(wire)
            while not self.over.is_set():
                code = codes.randrange(10, 120)
                container = await caller.run(briefly(f"{name}-{secrets.token_hex(4)}", code))
                assert_ended(await caller.ended(container.id), code)
                assert miscounted(await caller.printed(container.id)) == ""
                await caller.remove(container.id)
                self.ended += 1
                self.went.set()

    async def _restart(self) -> None:
        """Restart everything in an order of its own: moored is killed as often as it is ended."""
        size = self.size
        ways = [self._kill_moored, self.moored.restart] * (size.moored // 2)
        ways += [self.moored.restart] * (size.moored % 2) + [
            self._kill_containerd
        ] * size.containerd
        random.Random(SEED).shuffle(ways)
        try:
            for number, way in enumerate(ways):
                await asyncio.to_thread(way)
                print(f"restart {number + 1} of {len(ways)}: {way.__name__}; {self.ended} ended")
                self.went.clear()
                await self.went.wait()  # so that it is restarted under what goes on
        finally:
            self.over.set()

    def _kill_moored(self) -> None:
        self.moored.kill()
        self.moored.start()

    def _kill_containerd(self) -> None:
        self.site.containerd.kill()
        self.site.containerd.start()


@pytest.mark.parametrize(
    "size",
    [
        pytest.param(Size(6, moored=3, containerd=1), marks=pytest.mark.timeout(300)),
        pytest.param(
            Size(50, moored=100, containerd=20), marks=[pytest.mark.soak, pytest.mark.timeout(3600)]
        ),
    ],
    ids=str,
)
async def test_over_restarts_no_output_is_lost_or_repeated_and_every_exit_is_true(
    own_site: Site, size: Size
) -> None:
    moored = own_site.start_moored()
    before = own_site.look()
    town = Town(own_site, moored, size)
    await town.live()
    print(f"{town.ended} containers came and went")
    assert own_site.changes_since(before) == []
    assert ledger_resources(moored) == set()
