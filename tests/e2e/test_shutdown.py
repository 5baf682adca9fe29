"""SIGTERM among many callers: what was answered stays, and all else is told to try again.

Whoever was not answered hears UNAVAILABLE, and no other code, of calls as of streams; asked
again by the same request, the moored that comes after answers, and everything happened once.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from moorage.v1 import container_pb2
from moorage.v1 import container_service_pb2 as service
from tests.real.deadlines import eventually
from tests.real.ports import unused_port
from tests.real.shutdown import TALKS, shut_down_among
from tests.real.specs import DEAF, shell, sleeper
from tests.real.wire import CALL_WITHIN, Wire, duration, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.real.moored import Moored
    from tests.real.site import Site

pytestmark = pytest.mark.real


def by_socket(moored: Moored) -> Wire:
    return Wire(moored.address)


def by_tcp(moored: Moored) -> Wire:
    return Wire(moored.command[-1].removeprefix("tcp://"))


@pytest.fixture
def moored_by_tcp(site: Site) -> Iterator[Moored]:
    """A moored that the test may stop, and that listens on the loopback as well."""
    daemon = site.moored(flags=("--listen", f"tcp://127.0.0.1:{unused_port()}"))
    daemon.start()
    daemon.import_image(site.archive)
    yield daemon
    if daemon.is_running():
        daemon.stop()


async def test_a_crowd_is_told_to_try_again_and_everything_happens_once(
    own_moored: Moored,
) -> None:
    await shut_down_among(own_moored, partial(by_socket, own_moored), streams=12, rate=100, calm=3)


async def test_a_crowd_that_came_by_tcp_is_told_the_same(moored_by_tcp: Moored) -> None:
    await shut_down_among(
        moored_by_tcp, partial(by_tcp, moored_by_tcp), streams=12, rate=100, calm=3
    )


async def test_a_stop_under_way_ends_before_the_server_does(
    own_moored: Moored, own_wire: Wire
) -> None:
    async with own_wire.running(shell(DEAF)) as container:
        await own_wire.until_printed(container.id, "ready")
        stopping = asyncio.create_task(own_wire.stop(container.id, grace=2))
        await eventually(partial(_is_stopping, own_wire, container.id), "it is being stopped")
        own_moored.stop()
        assert (await stopping).container.status.exit.code == 128 + 9
        own_moored.start()


async def test_whoever_waits_for_something_is_told_that_the_server_ends(
    own_moored: Moored, own_wire: Wire
) -> None:
    async with own_wire.running(shell(TALKS)) as container:
        asking = own_wire.containers
        exited = service.WaitRequest(container=container.id, timeout=duration(60))
        waiting = asking.Wait(exited, timeout=CALL_WITHIN)
        counting: Any = asking.Stats(service.StatsRequest(interval=duration(60)))
        await counting.read()
        own_moored.stop()
        for call in (waiting, counting.read()):
            assert (await refused(call)).reason == "SHUTTING_DOWN"
        own_moored.start()


async def test_whoever_reads_nothing_holds_up_no_end(own_moored: Moored, own_wire: Wire) -> None:
    async with own_wire.running(shell("yes")) as container:
        follow = service.LogsRequest(container=container.id, follow=True)
        deaf: Any = own_wire.containers.Logs(follow, timeout=CALL_WITHIN)
        await deaf.read()
        own_moored.stop()
        own_moored.start()
        assert await _to_its_end(deaf) is grpc.StatusCode.UNAVAILABLE


async def test_it_has_ended_when_its_supervisor_was_told_whatever_does_not_end(
    site: Site,
) -> None:
    """A start that neither ends nor is undone: the next moored finds it, and undoes it."""
    limits = {"drain_timeout": "0.5s", "step_timeout": "100", "undo_timeout": "100"}
    hanging = {"failpoints": "start.run.before=hang;start.task.undo.before=hang"}
    moored = site.moored({**limits, **hanging})
    notified = moored.root.parent / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(notified))
        supervisor.settimeout(CALL_WITHIN)
        moored.variables["NOTIFY_SOCKET"] = str(notified)
        moored.start()
        moored.import_image(site.archive)
        async with Wire(moored.address) as wire:
            start = asyncio.ensure_future(refused(wire.run(sleeper(name="stuck"))))
            await eventually(partial(_is_at, wire, "run"), "it hangs")
            moored.terminate()
            told = b""
            while not told.startswith(b"STOPPING=1"):
                told = await asyncio.to_thread(supervisor.recv, 4096)
            at_most = int(told.partition(b"EXTEND_TIMEOUT_USEC=")[2]) / 1e6
            assert await asyncio.to_thread(moored.await_end, at_most) == 0
            assert (await start).code is grpc.StatusCode.UNAVAILABLE
    moored.variables.clear()
    moored.reconfigure(failpoints="")
    moored.start()
    async with Wire(moored.address) as wire:
        assert (await wire.cleanup("stuck", force=True, remove=True)).complete
    moored.stop()


async def _is_at(wire: Wire, stage: str) -> bool:
    return any(container.status.stage.step == stage for container in await wire.list())


async def _is_stopping(wire: Wire, container: str) -> bool:
    state = (await wire.inspect(container)).status.state
    return state == container_pb2.CONTAINER_STATE_STOPPING


async def _to_its_end(call: Any) -> grpc.StatusCode:
    with suppress(grpc.aio.AioRpcError):
        while await call.read() is not grpc.aio.EOF:
            pass
    code: grpc.StatusCode = await call.code()
    return code


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("connect", [by_socket, by_tcp])
async def test_ten_times_among_fifty_streams_and_two_hundred_calls_a_second(
    moored_by_tcp: Moored, connect: Callable[[Moored], Wire]
) -> None:
    told: Counter[tuple[str, str]] = Counter()
    wire = partial(connect, moored_by_tcp)
    for _ in range(10):
        crowd = await shut_down_among(moored_by_tcp, wire, streams=50, rate=200, calm=3)
        told.update((refused.code.name, refused.reason) for _, refused in crowd.refusals)
    print(told)
    assert told["UNAVAILABLE", "SHUTTING_DOWN"] >= 500
