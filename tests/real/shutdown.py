"""A moored that is stopped and started again among a crowd, and what each of them was told.

Laws: who was answered was told the truth, also for the moored that comes after; all others, of
calls as of streams, hear UNAVAILABLE and no other code, and are answered when they ask again by
the same request; everything happened once; moored ends well.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

import grpc

from moorage.v1 import container_pb2
from tests.real.crowd import STREAMS, Crowd
from tests.real.deadlines import eventually
from tests.real.specs import shell

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.real.moored import Moored
    from tests.real.wire import Wire

TALKS: Final = "while :; do echo tick; sleep 1; done"
_CHANNELS: Final = 4


async def shut_down_among(
    moored: Moored,
    connect: Callable[[], Wire],
    *,
    streams: int,
    rate: float,
    calm: float,
) -> Crowd:
    """Stop moored and start it again among a crowd, and look at what each of them was told."""
    async with AsyncExitStack() as stack:
        wires = [await stack.enter_async_context(connect()) for _ in range(_CHANNELS)]
        async with wires[0].running(shell(TALKS)) as container:
            crowd = Crowd(wires, container.id, f"crowd-{secrets.token_hex(3)}")
            try:
                await _restart(moored, crowd, streams, rate, calm)
                await check(crowd, wires[0])
            finally:
                await remove_all(crowd, wires[0])
            return crowd


async def _restart(moored: Moored, crowd: Crowd, streams: int, rate: float, calm: float) -> None:
    async with asyncio.TaskGroup() as callers:
        callers.create_task(crowd.listen(streams))
        await eventually(lambda: crowd.listening == streams, "all streams have begun", within=60)
        callers.create_task(crowd.call(rate))
        enough = int(rate * calm)
        await eventually(lambda: len(crowd.asked) >= enough, "many have called", within=60)
        moored.terminate()
        code = await asyncio.to_thread(moored.await_end)
        assert code == 0, moored.tail()
        await asyncio.to_thread(moored.start)
        enough = len(crowd.asked) + int(rate)
        await eventually(lambda: len(crowd.asked) >= enough, "many more have called")
        crowd.over.set()


async def check(crowd: Crowd, wire: Wire) -> None:
    """Look at what each was told, and ask again what had no answer."""
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


async def remove_all(crowd: Crowd, wire: Wire) -> None:
    turns = asyncio.Semaphore(8)

    async def remove(container: str) -> None:
        async with turns:
            await wire.remove(container)

    mine = [c.id for c in await wire.list() if c.name.startswith(crowd.name)]
    await asyncio.gather(*map(remove, mine))
