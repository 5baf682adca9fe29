"""A client with deploy/grpc/service-config.json sees nothing of a restart, and nothing twice."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from moorage import Client
from tests.real.deadlines import eventually
from tests.real.specs import sleeper
from tests.real.wire import CALL_WITHIN, Wire

if TYPE_CHECKING:
    from tests.real.moored import Moored
    from tests.real.runtime import GatedRuntime

pytestmark = pytest.mark.real

SERVICE_CONFIG = Path(__file__).parents[2] / "deploy" / "grpc" / "service-config.json"


async def test_what_a_moored_that_drains_refuses_is_done_by_the_next(
    own_moored: Moored, gate: GatedRuntime
) -> None:
    options = (("grpc.service_config", SERVICE_CONFIG.read_text()),)
    async with Client(own_moored.address, options=options, timeout=CALL_WITHIN) as client:
        with gate.holding("create"):
            held = sleeper(name="held", runtime="gated")
            starting = asyncio.create_task(client.start(spec=held, request_id="held"))
            assert await gate.arrival() == "create"
            own_moored.terminate()
            later = client.start(spec=sleeper(name="later"), request_id="later")
            retried = asyncio.create_task(later)
            await eventually(lambda: "Start UNAVAILABLE" in own_moored.tail(), "it is refused")
        first = await starting
        assert await asyncio.to_thread(own_moored.await_end) == 0
        await asyncio.to_thread(own_moored.start)
        second = await retried
        assert [first.container.status.run, second.container.status.run] == [1, 1]
    async with Wire(own_moored.address) as wire:
        assert {c.name for c in await wire.list()} == {"held", "later"}
        await wire.remove("held")
        await wire.remove("later")
