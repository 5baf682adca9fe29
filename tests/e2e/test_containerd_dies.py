"""containerd is killed or stopped at the worst moment: afterwards a container runs, or none does.

Each test has a containerd of its own, and moored is never restarted.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import grpc
import grpc.aio
import pytest

from moorage.v1 import container_pb2
from tests.outside import processes
from tests.real.agreement import assert_agreement, ledger_resources, settled_container
from tests.real.specs import OBEYS, shell, sleeper
from tests.real.wire import Wire, refusal, refused

if TYPE_CHECKING:
    from tests.real.moored import Moored
    from tests.real.site import Site

pytestmark = pytest.mark.real

LATEST = 0.2
SEED = 7
ALLOWED = {"RUNTIME_UNREACHABLE", "RUNTIME_REFUSED"}
"""What a start may say of a containerd that died under it."""
RUNNING = container_pb2.CONTAINER_STATE_RUNNING
UNKNOWN = {container_pb2.EXIT_ORIGIN_UNKNOWN, container_pb2.EXIT_ORIGIN_RUNTIME}


@pytest.mark.parametrize(
    "times", [3, pytest.param(20, marks=[pytest.mark.soak, pytest.mark.timeout(900)])]
)
async def test_killed_in_mid_create_it_leaves_a_running_container_or_none(
    own_site: Site, times: int
) -> None:
    daemon = own_site.start_moored()
    before = own_site.look()
    async with Wire(daemon.address) as wire:
        for time in range(times):
            with own_site.gate.holding("create"):
                name = f"killed-{time}"
                starting = asyncio.create_task(_start(wire, sleeper(name=name, runtime="gated")))
                await own_site.gate.arrival()
                own_site.containerd.kill()
            own_site.containerd.start()
            await _assert_whole(own_site, daemon, wire, name, await starting)
        assert own_site.changes_since(before) == []
        assert await wire.list() == []
        assert ledger_resources(daemon) == set()


@pytest.mark.parametrize(
    "times", [3, pytest.param(20, marks=[pytest.mark.soak, pytest.mark.timeout(900)])]
)
async def test_killed_at_a_random_moment_of_a_start_it_leaves_a_running_container_or_none(
    own_site: Site, times: int
) -> None:
    daemon = own_site.start_moored()
    before = own_site.look()
    moments = random.Random(SEED)
    async with Wire(daemon.address) as wire:
        for time in range(times):
            name = f"struck-{time}"
            starting = asyncio.create_task(_start(wire, sleeper(name=name)))
            killed = asyncio.Event()
            asyncio.get_running_loop().call_later(LATEST * moments.random(), killed.set)
            await killed.wait()
            own_site.containerd.kill()
            own_site.containerd.start()
            await _assert_whole(own_site, daemon, wire, name, await starting)
        assert own_site.changes_since(before) == []
        assert ledger_resources(daemon) == set()


async def test_containers_go_on_while_it_is_dead_and_are_followed_after_its_return(
    own_site: Site,
) -> None:
    daemon = own_site.start_moored()
    async with Wire(daemon.address) as wire, wire.running(shell(OBEYS)) as container:
        await wire.until_printed(container.id, "ready")
        own_site.containerd.kill()
        during = await wire.inspect(container.id)
        assert during.status.state == RUNNING
        assert processes.is_alive(during.status.pid)
        own_site.containerd.start()
        stopped = (await wire.stop(container.id)).container.status
        assert (stopped.exit.code, stopped.run) == (7, 1)


async def test_an_exit_while_it_is_dead_is_true_or_unknown(own_site: Site) -> None:
    """From 1.7 on, containerd ends the shim of such a task when it comes back: nobody knows."""
    daemon = own_site.start_moored()
    async with Wire(daemon.address) as wire, wire.running(shell(OBEYS)) as container:
        await wire.until_printed(container.id, "ready")
        own_site.containerd.kill()
        processes.end(container.status.pid)
        own_site.containerd.start()
        exited = (await wire.wait(container.id)).status
        if own_site.containerd.series >= (1, 7):
            assert exited.exit.origin in UNKNOWN
            assert exited.exit.code != 0
            return
        assert (exited.exit.code, exited.exit.origin) == (7, container_pb2.EXIT_ORIGIN_PROCESS)


async def test_a_start_without_it_is_unavailable_and_leaves_nothing(own_site: Site) -> None:
    daemon = own_site.start_moored({"step_timeout": "2s", "undo_timeout": "2s"})
    before = own_site.look()
    async with Wire(daemon.address) as wire:
        container = await wire.create(sleeper())
        own_site.containerd.kill()
        failed = await refused(wire.start(container.id))
        own_site.containerd.start()
        assert (failed.code, failed.reason) == (
            grpc.StatusCode.UNAVAILABLE,
            "RUNTIME_UNREACHABLE",
        )
        rested = await settled_container(wire, container.id)
        assert rested is not None
        assert not assert_agreement(rested, daemon, own_site.containerd)
        await wire.remove(container.id)
    assert own_site.changes_since(before) == []


async def test_stopped_in_mid_start_it_costs_a_delay_and_no_error(own_site: Site) -> None:
    daemon = own_site.start_moored()
    async with Wire(daemon.address) as wire:
        with own_site.gate.holding("create"):
            starting = asyncio.create_task(wire.run(sleeper(runtime="gated")))
            await own_site.gate.arrival()
            own_site.containerd.pause()
        own_site.containerd.resume()
        container = await starting
        assert container.status.state == RUNNING
        await wire.remove(container.id)


async def _start(wire: Wire, spec: container_pb2.ContainerSpec) -> str:
    """Return why a start failed; empty when it did not."""
    try:
        await wire.run(spec)
    except grpc.aio.AioRpcError as error:
        return refusal(error).reason
    return ""


async def _assert_whole(site: Site, moored: Moored, wire: Wire, name: str, failed: str) -> None:
    container = await settled_container(wire, name)
    print(f"{name}: {failed or 'runs'}")
    assert failed in ALLOWED | {""}
    if container is None:
        assert failed
        return
    runs = assert_agreement(container, moored, site.containerd)
    assert runs == (not failed)
    await wire.remove(container.id)
