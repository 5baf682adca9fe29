"""Many running containers are found again soon, and read from the first moment.

The figures are printed, and none is asserted: docs/recovery.md has those that were seen.
"""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING

import grpc.aio
import pytest

from moorage.v1 import container_pb2
from tests.real.agreement import assert_agreement
from tests.real.deadlines import eventually
from tests.real.specs import sleeper
from tests.real.wire import Wire

if TYPE_CHECKING:
    from tests.real.moored import Moored
    from tests.real.site import Site

pytestmark = pytest.mark.real

AT_A_TIME = 8
RUNNING = container_pb2.CONTAINER_STATE_RUNNING
RECOVERED = re.compile(r"recovered (\d+) containers in ([0-9.]+) s")


@pytest.mark.parametrize(
    "number", [12, pytest.param(200, marks=[pytest.mark.soak, pytest.mark.timeout(900)])]
)
async def test_running_containers_are_found_again_by_a_moored_that_was_killed(
    site: Site, own_moored: Moored, number: int
) -> None:
    turn = asyncio.Semaphore(AT_A_TIME)
    async with Wire(own_moored.address) as wire:

        async def started() -> container_pb2.Container:
            async with turn:
                return await wire.run(sleeper())

        containers = await asyncio.gather(*(started() for _ in range(number)))
        own_moored.kill()
        own_moored.mark()
        began = time.perf_counter()
        own_moored.launch()
        await _first_answer(own_moored, containers[0].id)
        answered = time.perf_counter() - began

        async def told() -> bool:
            return RECOVERED.search(own_moored.tail()) is not None

        await eventually(told, "all are recovered", within=60)
        found = RECOVERED.search(own_moored.tail())
        assert found is not None
        assert int(found[1]) == number
        print(f"{number} running: first Inspect {answered:.2f} s after exec, recovery {found[2]} s")
        pids = {one.id: one.status.pid for one in await wire.list()}
        assert pids == {one.id: one.status.pid for one in containers}
        assert assert_agreement(await wire.inspect(containers[0].id), own_moored, site.containerd)

        async def removed(container: str) -> None:
            async with turn:
                await wire.remove(container)

        await asyncio.gather(*(removed(one.id) for one in containers))


async def _first_answer(daemon: Moored, container: str) -> None:
    """Return once an Inspect was answered; each try has a connection of its own."""

    async def answered() -> bool:
        async with Wire(daemon.address) as wire:
            try:
                seen = await wire.inspect(container)
            except grpc.aio.AioRpcError:
                return False
            return seen.status.state == RUNNING

    await eventually(answered, "an Inspect is answered", within=60)
