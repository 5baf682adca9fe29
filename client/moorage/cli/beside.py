"""Beside a run: attached to one that is there, or to one that we start for it.

Leaving it leaves it running, and says so; its end is ours, exit code and all.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from moorage import errors
from moorage.cli import codes, foreground
from moorage.cli.conversing import Conversation
from moorage.cli.invocation import complain
from moorage.cli.views import exit_is_known, exit_line

if TYPE_CHECKING:
    from moorage.cli.conversing import Manner
    from moorage.client import Client
    from moorage.v1.container_pb2 import ContainerSpec
    from moorage.v1.container_service_pb2 import AttachEnd, StartResponse


async def beside(
    client: Client, container: str, manner: Manner, *, tail: int | None = None, run: int = 0
) -> int:
    """Be attached to a run until it ends or we leave it; return our exit code."""
    window = manner.terminal.size() if manner.terminal else None
    try:
        async with client.attach(
            container, stdin=manner.stdin, tail=tail, window=window, run=run, timeout=None
        ) as attachment:
            conversation = Conversation(attachment, manner)
            if not await conversation.hold():
                complain(f"detached from container {container}")
                return codes.left(conversation.left_by)
    except errors.StdinNotOpen:
        if not manner.stdin:
            raise
        # It has ended, or closed it: what it wrote is still to be had.
        return await beside(client, container, replace(manner, stdin=False), tail=tail, run=run)
    return _exit_code(attachment.ended)


def _exit_code(ended: AttachEnd | None) -> int:
    if ended is None or not ended.HasField("exit"):
        complain("cannot tell the exit code: nobody said it")
        return codes.NOT_STARTED
    if not exit_is_known(ended.exit):
        complain(f"cannot tell the exit code: {exit_line(ended.exit)}")
    return ended.exit.code


class Stops:
    """Stops a container when we are asked to end: politely first, at once the second time."""

    def __init__(self, client: Client, container: str) -> None:
        self._client = client
        self._container = container
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def stop(self, time: int) -> None:
        grace = None if time == 1 else timedelta()
        self._tasks.append(asyncio.create_task(self._stop(grace)))

    async def _stop(self, grace: timedelta | None) -> None:
        try:
            await self._client.stop(self._container, grace=grace)
        except errors.ContainerNotFound:
            return  # it has gone by itself
        except errors.MoorageError as error:
            complain(error.message)


async def run(client: Client, spec: ContainerSpec, manner: Manner) -> int:
    """Start a container and be attached to it: before it starts, so that nothing can be missed."""
    container = (await client.create(spec)).container.id
    with foreground.Signals() as signals:
        async with Stops(client, container) as stops:
            with_stops = replace(manner, stop=None if manner.terminal else stops.stop)
            attached = asyncio.create_task(beside(client, container, with_stops, run=1))
            started = asyncio.create_task(client.start(container))
            asked = asyncio.create_task(_asked_twice(signals, stops))
            try:
                return await _whichever(attached, started, asked)
            finally:
                for task in (attached, started, asked):
                    task.cancel()
                await asyncio.wait([attached, started, asked])


async def _asked_twice(signals: foreground.Signals, stops: Stops) -> None:
    """Stop what is about to start when we are asked to end; the second time, give up on it."""
    await signals.reach(1)
    stops.stop(1)
    await signals.reach(2)


async def _whichever(
    attached: asyncio.Task[int], started: asyncio.Task[StartResponse], asked: asyncio.Task[None]
) -> int:
    waiting: set[asyncio.Task[Any]] = {attached, started, asked}
    while not attached.done():
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if asked in done:
            raise foreground.GivenUp
        if started in done:
            started.result()
    if isinstance(attached.exception(), errors.ContainerNotFound | errors.RunNotFound):
        await started  # why there is no run is the start's to say
    return attached.result()
