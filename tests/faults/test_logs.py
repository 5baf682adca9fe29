"""Output can be read in every state, and nobody waits for what may never come."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
import pytest

from moorage.v1 import container_service_pb2
from moored import errors
from moored.model.state import Stranded
from tests.faults.door import connected
from tests.faults.world import soon

if TYPE_CHECKING:
    from tests.faults.world import World


@pytest.mark.parametrize("follow", [False, True])
async def test_the_output_of_a_stranded_container_has_an_end(world: World, *, follow: bool) -> None:
    world.fake.lose("reply", "Tasks.Create")
    world.fake.refuse("Tasks.Delete", grpc.StatusCode.UNAVAILABLE, "down", times=99)
    with pytest.raises(errors.RuntimeUnreachable):
        await world.start(name="web")
    assert isinstance(world.snapshot("web").state, Stranded)
    async with connected(world) as wire:
        assert await soon(wire.printed("web", follow=follow)) == b""
        request = container_service_pb2.LogsRequest(container="web", follow=follow)
        assert [part async for part in wire.logs(request)] == []
