"""Inspect tells what a container has written, if it is asked; else it asks nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
import pytest

from moorage.v1 import container_service_pb2
from tests.real.specs import shell, sleeper
from tests.real.wire import refused

if TYPE_CHECKING:
    from tests.real.site import Site
    from tests.real.wire import Wire

pytestmark = pytest.mark.real

MIB = 1024 * 1024


async def measured(wire: Wire, container: str) -> container_service_pb2.InspectResponse:
    request = container_service_pb2.InspectRequest(container=container, size=True)
    return await wire.containers.Inspect(request, timeout=30)


async def test_what_was_written_is_counted_and_mounts_are_not(wire: Wire) -> None:
    script = (
        "dd if=/dev/zero of=/data bs=1M count=3; dd if=/dev/zero of=/dev/shm/x bs=1M count=9;"
        " echo done; sleep 100000"
    )
    async with wire.running(shell(f"({script}) 2>/dev/null")) as container:
        await wire.until_printed(container.id, "done")
        answer = await measured(wire, container.id)
        assert answer.container.id == container.id
        assert 3 * MIB <= answer.layer_usage.bytes < 4 * MIB
        assert answer.layer_usage.inodes >= 2
        await wire.stop(container.id, grace=0)
        assert (await measured(wire, container.id)).layer_usage.bytes >= 3 * MIB


async def test_a_container_that_never_started_has_no_layer_to_count(wire: Wire) -> None:
    async with wire.created(sleeper()) as container:
        assert not (await measured(wire, container.id)).HasField("layer_usage")


async def test_without_the_wish_nothing_is_counted(wire: Wire) -> None:
    async with wire.running(sleeper()) as container:
        request = container_service_pb2.InspectRequest(container=container.id)
        assert not (await wire.containers.Inspect(request)).HasField("layer_usage")


async def test_without_containerd_only_the_count_fails(own_site: Site) -> None:
    from tests.real.wire import Wire

    moored = own_site.start_moored({"step_timeout": "2"})
    async with Wire(moored.address) as wire, wire.created(sleeper()) as container:
        own_site.containerd.pause()
        try:
            refusal = await refused(measured(wire, container.id))
            assert refusal.code is grpc.StatusCode.UNAVAILABLE
            assert refusal.reason == "RUNTIME_UNREACHABLE"
            assert "measure layer" in refusal.message
            assert (await wire.inspect(container.id)).id == container.id
        finally:
            own_site.containerd.resume()
