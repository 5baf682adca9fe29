"""Stats are what the kernel counted for the run, by whichever layout of cgroups this host has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from moorage.v1 import container_pb2, container_service_pb2
from tests.real.specs import shell, sleeper
from tests.real.wire import duration, refused

if TYPE_CHECKING:
    from moorage.v1.stats_pb2 import ContainerStats
    from tests.real.wire import Wire

pytestmark = pytest.mark.real

WITHIN = 60.0
LIMIT = 64 * 2**20


async def one(wire: Wire, container: str) -> ContainerStats:
    request = container_service_pb2.StatsRequest(containers=[container])
    (answer,) = [answer async for answer in wire.containers.Stats(request, timeout=WITHIN)]
    (found,) = answer.containers
    return found


async def test_one_sample_has_what_the_container_uses(wire: Wire) -> None:
    limits = container_pb2.Resources(memory_limit=LIMIT, pids_limit=50)
    script = (
        "dd if=/dev/zero of=/dev/shm/x bs=1M count=8 2>/dev/null; sleep 1000 & echo ready; wait"
    )
    async with wire.running(shell(script, name="used", resources=limits)) as box:
        await wire.until_printed(box.id, "ready")
        found = await one(wire, "used")
        assert (found.container, found.name, found.run) == (box.id, "used", 1)
        assert found.cpu.usage.ToTimedelta().total_seconds() > 0
        assert not found.cpu.HasField("processors")
        assert found.memory.limit == LIMIT
        assert 8 * 2**20 <= found.memory.usage <= LIMIT
        assert found.memory.working_set <= found.memory.usage
        assert (found.pids.current, found.pids.limit) == (2, 50)


async def test_a_stream_tells_how_many_processors_were_in_use(wire: Wire) -> None:
    async with wire.running(shell("while :; do :; done")) as box, wire.running(sleeper()) as idle:
        request = container_service_pb2.StatsRequest(
            containers=[box.id, idle.id, box.id[:20]], interval=duration(0.5)
        )
        call = wire.containers.Stats(request, timeout=WITHIN)
        seen: list[Any] = [await call.read() for _ in range(3)]
        call.cancel()
        assert [len(answer.containers) for answer in seen] == [2, 2, 2]
        used = {c.container: c.cpu.processors for c in seen[-1].containers}
        assert used[box.id] > 10 * used[idle.id]
        times = [answer.containers[0].cpu.usage.ToTimedelta() for answer in seen]
        assert times == sorted(times)


async def test_whoever_has_no_process_is_an_error_by_name_and_else_left_out(wire: Wire) -> None:
    async with wire.created(sleeper()) as still, wire.running(sleeper()) as box:
        with_still = container_service_pb2.StatsRequest(containers=[box.id, still.id])

        async def ask() -> object:
            return [answer async for answer in wire.containers.Stats(with_still, timeout=WITHIN)]

        refusal = await refused(ask())
        assert (refusal.reason, refusal.metadata["container"]) == (
            "CONTAINER_NOT_RUNNING",
            still.id,
        )
        everybody = container_service_pb2.StatsRequest()
        (answer,) = [a async for a in wire.containers.Stats(everybody, timeout=WITHIN)]
        assert box.id in {c.container for c in answer.containers}
        assert still.id not in {c.container for c in answer.containers}


async def test_counters_begin_anew_with_each_run(wire: Wire) -> None:
    script = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; echo ready; sleep 1000"
    async with wire.running(shell(script)) as box:
        await wire.until_printed(box.id, "ready")
        before = await one(wire, box.id)
        await wire.stop(box.id, grace=0)
        await wire.start(box.id)
        after = await one(wire, box.id)
        assert after.run == 2
        assert after.cpu.usage.ToTimedelta() < before.cpu.usage.ToTimedelta()


async def test_an_interval_out_of_bounds_is_refused_by_its_field(wire: Wire) -> None:
    request = container_service_pb2.StatsRequest(interval=duration(0.01))

    async def ask() -> object:
        return [answer async for answer in wire.containers.Stats(request, timeout=WITHIN)]

    assert (await refused(ask())).fields == ("interval",)
