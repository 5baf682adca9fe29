"""Many containers, eight at a time: all start, nothing is left, moored does not grow."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from moorage.v1 import container_pb2
from tests.outside import processes
from tests.real.agreement import ledger_resources
from tests.real.specs import shell, sleeper

if TYPE_CHECKING:
    from tests.real.moored import Moored
    from tests.real.site import Site
    from tests.real.wire import Wire

pytestmark = pytest.mark.real

AT_A_TIME = 8
MOST_GROWTH = 8 * 1024
"""Kilobytes for 200 containers: less than a page of output or record kept of each."""


@pytest.mark.parametrize("number", [24, pytest.param(200, marks=pytest.mark.soak)])
async def test_containers_started_and_cleaned_up_eight_at_a_time_leave_nothing(
    site: Site, own_moored: Moored, own_wire: Wire, number: int
) -> None:
    before = site.look()
    await _churn(own_wire, 24)  # what is allocated once, and kept, is there after this
    resident, descriptors = own_moored.resident_kilobytes(), processes.descriptors(own_moored.pid)
    threads = processes.threads(own_moored.pid)
    await _churn(own_wire, number)
    growth = own_moored.resident_kilobytes() - resident
    print(f"{number} containers: resident memory {resident} kB, and {growth:+} kB after them")
    assert growth < MOST_GROWTH
    assert processes.descriptors(own_moored.pid) <= descriptors + AT_A_TIME
    assert processes.threads(own_moored.pid) <= threads + AT_A_TIME
    assert site.changes_since(before) == []
    assert await own_wire.list() == []
    assert ledger_resources(own_moored) == set()


async def _churn(wire: Wire, number: int) -> None:
    turn = asyncio.Semaphore(AT_A_TIME)

    async def one(count: int) -> None:
        async with turn:
            await (_stays(wire) if count % 2 else _ends(wire, count))

    async with asyncio.TaskGroup() as tasks:
        for count in range(number):
            tasks.create_task(one(count))


async def _stays(wire: Wire) -> None:
    container = await wire.run(sleeper())
    assert container.status.state == container_pb2.CONTAINER_STATE_RUNNING
    assert (await wire.cleanup(container.id)).complete


async def _ends(wire: Wire, count: int) -> None:
    container = await wire.run(shell(f"echo {count}; exit {count % 100}"))
    assert await wire.printed(container.id) == f"{count}\n".encode()
    assert (await wire.wait(container.id)).status.exit.code == count % 100
    assert (await wire.cleanup(container.id)).complete
