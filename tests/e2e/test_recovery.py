"""moored ends, well or badly, and comes back: containers did not notice, and nothing is lost."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import grpc.aio
import pytest

from moorage.v1 import container_pb2, container_service_pb2
from tests.outside import processes
from tests.real.agreement import assert_agreement, ledger_resources, settled_container
from tests.real.specs import OBEYS, shell, sleeper
from tests.real.wire import Wire, duration, refusal, refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.real.moored import Moored
    from tests.real.runtime import GatedRuntime
    from tests.real.site import Site

pytestmark = pytest.mark.real

RUNNING = container_pb2.CONTAINER_STATE_RUNNING
EXITED = container_pb2.CONTAINER_STATE_EXITED
TALKS = "trap 'echo meanwhile; exit 5' USR1; echo ready; sleep 100000 & wait"


def _stop(moored: Moored) -> None:
    moored.stop()


def _kill(moored: Moored) -> None:
    moored.kill()


BOTH_ENDS = pytest.mark.parametrize("end", [_stop, _kill])


@BOTH_ENDS
async def test_a_running_container_is_found_again(
    own_moored: Moored, own_wire: Wire, end: Callable[[Moored], None]
) -> None:
    async with own_wire.running(shell(OBEYS, name="stays")) as container:
        await own_wire.until_printed(container.id, "ready")
        end(own_moored)
        assert processes.is_alive(container.status.pid)
        own_moored.start()
        found = await own_wire.inspect("stays")
        assert (found.status.state, found.status.pid) == (RUNNING, container.status.pid)
        assert found.status.start_time == container.status.start_time
        assert found.create_time == container.create_time
        assert found.spec == container.spec
        assert (await own_wire.stop("stays")).container.status.exit.code == 7


@BOTH_ENDS
async def test_an_exit_that_happened_meanwhile_shows_its_true_code(
    own_moored: Moored, own_wire: Wire, end: Callable[[Moored], None]
) -> None:
    async with own_wire.running(shell(OBEYS)) as container:
        await own_wire.until_printed(container.id, "ready")
        end(own_moored)
        processes.end(container.status.pid)
        own_moored.start()
        exited = (await own_wire.wait(container.id)).status
        assert (exited.state, exited.exit.code) == (EXITED, 7)
        assert exited.exit.origin == container_pb2.EXIT_ORIGIN_PROCESS
        assert exited.pid == 0


async def test_a_death_by_signal_that_happened_meanwhile_is_told_as_such(
    own_moored: Moored, own_wire: Wire
) -> None:
    async with own_wire.running(sleeper()) as container:
        own_moored.kill()
        processes.end(container.status.pid, signal.SIGKILL)
        own_moored.start()
        exit_ = (await own_wire.wait(container.id)).status.exit
        assert (exit_.code, exit_.signal) == (137, 9)
        assert exit_.origin == container_pb2.EXIT_ORIGIN_SIGNAL


async def test_output_written_meanwhile_is_in_logs(own_moored: Moored, own_wire: Wire) -> None:
    async with own_wire.running(shell(TALKS)) as container:
        await own_wire.until_printed(container.id, "ready")
        own_moored.kill()
        processes.end(container.status.pid, signal.SIGUSR1)
        own_moored.start()
        assert (await own_wire.wait(container.id)).status.exit.code == 5
        assert await own_wire.printed(container.id) == b"ready\nmeanwhile\n"


async def test_an_exited_container_keeps_its_exit_and_its_output(
    own_moored: Moored, own_wire: Wire
) -> None:
    async with own_wire.running(shell("echo said; exit 3")) as container:
        exited = await own_wire.wait(container.id)
        await own_wire.printed(container.id)
        own_moored.kill()
        own_moored.start()
        found = await own_wire.inspect(container.id)
        assert found.status.exit == exited.status.exit
        assert found.status.last_start == exited.status.last_start
        assert await own_wire.printed(container.id) == b"said\n"
        assert (await own_wire.start(container.id)).container.status.run == 2


async def test_a_name_stays_taken(own_moored: Moored, own_wire: Wire) -> None:
    async with own_wire.created(sleeper(name="mine")) as container:
        own_moored.kill()
        own_moored.start()
        assert (await own_wire.inspect("mine")).id == container.id
        assert (await refused(own_wire.create(sleeper(name="mine")))).reason == "NAME_TAKEN"


async def test_killed_in_mid_start_it_leaves_a_running_container_or_none(
    site: Site, own_moored: Moored, own_wire: Wire, gate: GatedRuntime
) -> None:
    container = await own_wire.create(sleeper(runtime="gated"))
    before = site.look()
    with gate.holding("create"):
        starting = asyncio.create_task(_reason(own_wire.start(container.id)))
        await gate.arrival()
        own_moored.kill()
    assert await starting == ""  # whatever the transport says, it has no reason of moored's
    own_moored.start()
    found = await settled_container(own_wire, container.id)
    assert found is not None
    if not assert_agreement(found, own_moored, site.containerd):
        assert found.status.error.reason == "INTERRUPTED"
        assert found.status.error.retriable
        assert site.changes_since(before) == []
    await own_wire.remove(container.id)


async def test_a_process_that_ended_before_its_program_began_is_no_exit_of_the_program(
    site: Site, own_moored: Moored, own_wire: Wire, gate: GatedRuntime
) -> None:
    container = await own_wire.create(sleeper(runtime="gated"))
    before = site.look()
    with gate.holding("start"):
        starting = asyncio.create_task(_reason(own_wire.start(container.id)))
        await gate.arrival()
        own_moored.kill()
        processes.end(_init(own_moored.instance, f"{container.id}.1"), signal.SIGKILL)
    await starting
    own_moored.start()
    found = await settled_container(own_wire, container.id)
    assert found is not None
    assert found.status.error.reason == "INTERRUPTED"
    assert found.status.exit.origin == container_pb2.EXIT_ORIGIN_START_FAILURE
    assert site.changes_since(before) == []
    await own_wire.remove(container.id)


async def test_killed_in_mid_cleanup_it_goes_on_with_it(
    site: Site, own_moored: Moored, own_wire: Wire, gate: GatedRuntime
) -> None:
    before = site.look()
    container = await own_wire.run(sleeper(runtime="gated"))
    with gate.holding("delete"):
        cleaning = asyncio.create_task(_reason(own_wire.cleanup(container.id)))
        await gate.arrival()
        own_moored.kill()
    await cleaning
    own_moored.start()
    assert await settled_container(own_wire, container.id) is None
    assert site.changes_since(before) == []
    assert ledger_resources(own_moored) == set()


async def test_killed_in_mid_stop_it_goes_on_when_asked_again(
    own_moored: Moored, own_wire: Wire
) -> None:
    script = "trap 'echo asked' TERM; echo ready; while :; do sleep 100000 & wait $!; done"
    async with own_wire.running(shell(script, stop_timeout=duration(2))) as container:
        await own_wire.until_printed(container.id, "ready")
        stopping = asyncio.create_task(_reason(own_wire.stop(container.id)))
        await own_wire.until_printed(container.id, "asked")
        own_moored.kill()
        await stopping
        own_moored.start()
        stopped = (await own_wire.stop(container.id)).container.status
        assert (stopped.state, stopped.exit.code) == (EXITED, 137)


async def test_told_to_end_it_finishes_what_it_began_and_refuses_what_is_new(
    own_moored: Moored, own_wire: Wire, gate: GatedRuntime
) -> None:
    container = await own_wire.create(sleeper(runtime="gated"))
    with gate.holding("create"):
        starting = asyncio.create_task(own_wire.start(container.id))
        await gate.arrival()
        own_moored.terminate()
        await own_wire.until_not_serving()
        refusal_ = await refused(
            own_wire.containers.Create(
                container_service_pb2.CreateRequest(spec=sleeper()), timeout=10
            )
        )
    started = (await starting).container
    assert await asyncio.to_thread(own_moored.await_end) == 0
    assert refusal_.code is grpc.StatusCode.UNAVAILABLE
    assert started.status.state == RUNNING
    assert processes.is_alive(started.status.pid)
    own_moored.start()
    assert (await own_wire.inspect(container.id)).status.pid == started.status.pid
    await own_wire.remove(container.id)


async def _reason(call: Awaitable[object]) -> str:
    """Return why ``call`` was refused; empty where moored gave no reason, or did not refuse."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return refusal(error).reason
    return ""


def _init(instance: str, run: str) -> int:
    """Return the runtime's own process in a run whose program has not begun."""
    state = Path("/run/containerd/runc", instance, run, "state.json")
    return int(json.loads(state.read_text())["init_process_pid"])
