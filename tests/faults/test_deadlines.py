"""A caller's deadline ends what moored asks containerd for it, and what it has begun goes on.

What only reads is given up, at containerd too, the moment its caller's time is over. A start
that is on record belongs to the service: no deadline of a caller's cuts a call of it short.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import pytest

from moorage.v1 import container_service_pb2 as service
from moorage.v1 import image_service_pb2
from moorage.v1.container_pb2 import ContainerSpec
from tests.faults.door import connected
from tests.real.wire import refused

if TYPE_CHECKING:
    from tests.faults.world import World
    from tests.real.wire import Wire

DEADLINE = 0.3


@pytest.mark.parametrize("way", ["deadline", "cancel"])
async def test_a_call_of_containerds_ends_when_its_caller_does(world: World, way: str) -> None:
    async with connected(world) as wire:
        with world.fake.hold("Images.List") as hold:
            late = DEADLINE if way == "deadline" else None
            call = wire.images.List(image_service_pb2.ImageServiceListRequest(), timeout=late)
            asking = asyncio.ensure_future(_ended(call))
            await hold.reached()
            if way == "cancel":
                call.cancel()
            await hold.left()
            assert hold.waiting == 0
        assert await asking is not grpc.StatusCode.OK


async def test_a_deadline_cuts_no_call_of_a_start_that_is_on_record(world: World) -> None:
    async with connected(world) as wire:
        with world.fake.hold("Tasks.Create") as hold:
            spec = ContainerSpec(image="thing:1", command=["/bin/stays"], name="web")
            starting = wire.containers.Start(service.StartRequest(spec=spec), timeout=DEADLINE)
            await hold.reached()
            assert (await refused(starting)).code is grpc.StatusCode.DEADLINE_EXCEEDED
            assert hold.waiting == 1
        await _running(wire, "web")


async def _running(wire: Wire, name: str) -> None:
    request = service.WaitRequest(container=name, condition=service.WAIT_CONDITION_RUNNING)
    assert (await wire.containers.Wait(request, timeout=10)).reached


async def _ended(call: Any) -> grpc.StatusCode:
    code: grpc.StatusCode = await call.code()
    return code
