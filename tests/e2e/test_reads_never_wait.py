"""Inspect and List answer while a start hangs, and while containerd is stopped.

No time is asserted: all answers come while nothing of what they might wait for can move.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from moorage.v1 import container_pb2
from tests.real.specs import sleeper
from tests.real.wire import Wire

if TYPE_CHECKING:
    from tests.real.runtime import GatedRuntime
    from tests.real.site import Site

pytestmark = pytest.mark.real

CALLS = 1000


async def test_inspect_answers_while_a_start_of_the_same_container_hangs_in_task(
    wire: Wire, gate: GatedRuntime
) -> None:
    async with wire.created(sleeper(runtime="gated")) as container:
        with gate.holding("create"):
            starting = asyncio.create_task(wire.start(container.id))
            await gate.arrival()
            stages = await _inspected(wire, container.id)
            listed = await wire.list()
            assert not starting.done()
        assert stages == {"task"}
        assert container.id in {one.id for one in listed}
        assert (await starting).container.status.state == container_pb2.CONTAINER_STATE_RUNNING


async def test_inspect_answers_while_containerd_is_stopped(own_site: Site) -> None:
    daemon = own_site.start_moored()
    async with Wire(daemon.address) as wire, wire.running(sleeper()) as container:
        own_site.containerd.pause()
        try:
            await _inspected(wire, container.id)
            listed = await wire.list()
        finally:
            own_site.containerd.resume()
        assert [one.id for one in listed] == [container.id]
        assert (await wire.inspect(container.id)).status.pid == container.status.pid


async def test_inspect_answers_while_a_cleanup_of_the_same_container_hangs(
    wire: Wire, gate: GatedRuntime
) -> None:
    async with wire.running(sleeper(runtime="gated")) as container:
        with gate.holding("delete"):
            cleaning = asyncio.create_task(wire.cleanup(container.id))
            await gate.arrival()
            await _inspected(wire, container.id)
            assert not cleaning.done()
        assert (await cleaning).complete


async def _inspected(wire: Wire, container: str) -> set[str]:
    """Return every step that a thousand Inspects saw, and print how long they took."""
    took, stages = list[float](), set[str]()
    for _ in range(CALLS):
        before = time.perf_counter()
        stages.add((await wire.inspect(container)).status.stage.step)
        took.append(1000 * (time.perf_counter() - before))
    took.sort()
    print(f"{CALLS} Inspects: p50 {took[CALLS // 2]:.2f} ms, p99 {took[CALLS * 99 // 100]:.2f} ms")
    return stages
