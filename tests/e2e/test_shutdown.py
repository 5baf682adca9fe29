"""SIGTERM among many callers: what was answered stays, and all else is told to try again.

Whoever was not answered hears UNAVAILABLE, and no other code, of calls as of streams; asked
again by the same request, the moored that comes after answers, and everything happened once.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections import Counter
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from moorage.v1 import container_pb2
from moorage.v1 import container_service_pb2 as service
from tests.real.crowd import STREAMS, Crowd
from tests.real.deadlines import eventually
from tests.real.specs import DEAF, shell
from tests.real.wire import CALL_WITHIN, Wire, duration, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.real.moored import Moored
    from tests.real.site import Site

pytestmark = pytest.mark.real

TALKS = "while :; do echo tick; sleep 1; done"
CHANNELS = 4


def unused_port() -> int:
    """Return a port of the loopback that nobody has, and a restart can have again."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def by_socket(moored: Moored) -> Wire:
    return Wire(moored.address)


def by_tcp(moored: Moored) -> Wire:
    return Wire(moored.command[-1].removeprefix("tcp://"))


async def shut_down_among(
    moored: Moored,
    connect: Callable[[Moored], Wire],
    *,
    streams: int,
    rate: float,
    calm: float,
) -> Crowd:
    """Stop moored and start it again among a crowd, and look at what each of them was told."""
    async with AsyncExitStack() as stack:
        wires = [await stack.enter_async_context(connect(moored)) for _ in range(CHANNELS)]
        async with wires[0].running(shell(TALKS)) as container:
            crowd = Crowd(wires, container.id, f"crowd-{secrets.token_hex(3)}")
            try:
                await _terminate(moored, crowd, streams, rate, calm)
                moored.start()
                await _check(crowd, wires[0])
            finally:
                await _remove(crowd, wires[0])
            return crowd


async def _terminate(moored: Moored, crowd: Crowd, streams: int, rate: float, calm: float) -> None:
    async with asyncio.TaskGroup() as callers:
        callers.create_task(crowd.listen(streams))
        await eventually(lambda: crowd.listening == streams, "all streams have begun", within=60)
        callers.create_task(crowd.call(rate))
        enough = int(rate * calm)
        await eventually(lambda: len(crowd.asked) >= enough, "many have called", within=60)
        moored.terminate()
        code = await asyncio.to_thread(moored.await_end)
        crowd.over.set()
    assert code == 0, moored.tail()


async def _check(crowd: Crowd, wire: Wire) -> None:
    told = Counter((method, refused.code) for method, refused in crowd.refusals)
    assert {code for _, code in told} <= {grpc.StatusCode.UNAVAILABLE}, _others(crowd)
    assert [s.method for s in crowd.streams if not s.refused] == []
    assert {s.method for s in crowd.streams} == set(STREAMS)
    before = {asked.answer.container.id for asked in crowd.answers("Start")}
    await crowd.again(wire)
    removed = {asked.request.container for asked in crowd.answers("Cleanup")}
    made = crowd.answers("Start") + crowd.answers("Create")
    wanted = {a.answer.container.id: a.request.spec.name for a in made}
    there = {c.id: c for c in await wire.list() if c.name.startswith(crowd.name)}
    assert {c.id: c.name for c in there.values()} == {
        id_: name for id_, name in wanted.items() if id_ not in removed
    }
    started = {asked.answer.container.id for asked in crowd.answers("Start")}
    for id_ in started - removed:
        status = there[id_].status
        assert (status.state, status.run) == (container_pb2.CONTAINER_STATE_RUNNING, 1), status
    assert before <= started


def _others(crowd: Crowd) -> str:
    odd = [
        f"{method} {refused.code.name} {refused.reason} {refused.message}"
        for method, refused in crowd.refusals
        if refused.code is not grpc.StatusCode.UNAVAILABLE
    ]
    return "\n".join(odd)


async def _remove(crowd: Crowd, wire: Wire) -> None:
    turns = asyncio.Semaphore(8)

    async def remove(container: str) -> None:
        async with turns:
            await wire.remove(container)

    mine = [c.id for c in await wire.list() if c.name.startswith(crowd.name)]
    await asyncio.gather(*map(remove, mine))


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
    await shut_down_among(own_moored, by_socket, streams=12, rate=100, calm=3)


async def test_a_crowd_that_came_by_tcp_is_told_the_same(moored_by_tcp: Moored) -> None:
    await shut_down_among(moored_by_tcp, by_tcp, streams=12, rate=100, calm=3)


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
    for _ in range(10):
        crowd = await shut_down_among(moored_by_tcp, connect, streams=50, rate=200, calm=3)
        told.update((refused.code.name, refused.reason) for _, refused in crowd.refusals)
    print(told)
    assert told["UNAVAILABLE", "SHUTTING_DOWN"] >= 500
