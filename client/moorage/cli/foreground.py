"""A container in the foreground: its output is ours, our signals are its, its exit code too.

Goes on through a restart of moored, which containers outlive: output is taken up at the byte
where it was cut off.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Self

from moorage import errors
from moorage.cli import codes
from moorage.cli.invocation import complain
from moorage.cli.views import exit_is_known, exit_line
from moorage.v1.container_service_pb2 import LOG_FORMAT_BYTES, WAIT_CONDITION_EXITED, LogsResponse
from moorage.waiting import OUT_OF_TOUCH, Patience

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from moorage.cli.sinks import Sink
    from moorage.client import Client
    from moorage.v1.container_pb2 import ContainerSpec
    from moorage.v1.container_service_pb2 import StartResponse, WaitResponse

PATIENCE: Final = 30.0
"""Seconds for which moored may be away while its container runs."""
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_OVERLAP: Final = timedelta(seconds=2)
"""Asked for again after an interruption, and skipped by its offset: times are not exact."""
_AT_ONCE: Final = timedelta()


class GivenUp(Exception):
    """Interrupted twice, before the start was answered."""


class Signals:
    """Counts the signals that ask us to end, while it is entered."""

    def __init__(self) -> None:
        self._count = 0
        self._came = asyncio.Event()
        # What whoever started us had ignored, as nohup does, stays so.
        self._noted = [n for n in _SIGNALS if signal.getsignal(n) is not signal.SIG_IGN]

    def __enter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for number in self._noted:
            loop.add_signal_handler(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        loop = asyncio.get_running_loop()
        for number in self._noted:
            loop.remove_signal_handler(number)

    def _note(self) -> None:
        self._count += 1
        self._came.set()

    async def reach(self, count: int) -> None:
        while self._count < count:
            self._came.clear()
            await self._came.wait()


class Progress:
    """How far the output of each stream was taken."""

    def __init__(self) -> None:
        self._offsets: dict[int, int] = {}
        self.since: datetime | None = None

    def fresh(self, piece: LogsResponse) -> LogsResponse | None:
        """Return the part of ``piece`` that is new, if any of it is."""
        if piece.WhichOneof("payload") != "data":
            return None
        known = max(0, self._offsets.get(piece.stream, 0) - piece.offset)
        if known >= len(piece.data):
            return None
        self._offsets[piece.stream] = piece.offset + len(piece.data)
        if piece.HasField("time"):
            self.since = piece.time.ToDatetime(tzinfo=UTC) - _OVERLAP
        if known:
            piece.data = piece.data[known:]
            piece.offset += known
        return piece


class Foreground:
    def __init__(
        self, client: Client, sink: Sink, report: Callable[[errors.MoorageError], object]
    ) -> None:
        self._client = client
        self._sink = sink
        self._report = report
        self._progress = Progress()
        self._patience = Patience(PATIENCE)

    async def start(self, spec: ContainerSpec, signals: Signals) -> StartResponse:
        """Start it, however often we are asked to end meanwhile: only then it can be stopped.

        The second time we give up on the answer; the start itself may go on.
        """
        start = asyncio.create_task(self._client.start(spec=spec))
        twice = asyncio.create_task(signals.reach(2))
        try:
            await asyncio.wait((start, twice), return_when=asyncio.FIRST_COMPLETED)
            if not start.done():
                raise GivenUp
            return start.result()
        finally:
            await _end(start, twice)

    async def watch(self, started: StartResponse, signals: Signals) -> WaitResponse:
        """Return how the container ended, once all of its output is out."""
        container, run = started.container.id, started.container.status.run
        stopping = asyncio.create_task(self._obey(container, signals))
        try:
            while True:
                try:
                    return await _both(
                        self._client.wait_until(container, WAIT_CONDITION_EXITED),
                        self._copy(container, run),
                    )
                except OUT_OF_TOUCH:
                    if not await self._patience.pause():
                        raise
        except BrokenPipeError:  # as it is for any program whose reader has gone
            await self._stop(container, _AT_ONCE)
            raise
        finally:
            await _end(stopping)

    async def _copy(self, container: str, run: int) -> None:
        pieces = self._client.logs(
            container,
            follow=True,
            run=run,
            since=self._progress.since,
            format=LOG_FORMAT_BYTES,
            timeout=None,
        )
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    self._patience.renew()
                    if fresh := self._progress.fresh(piece):
                        await self._sink.write(fresh)
        except (errors.ContainerNotFound, errors.RunNotFound) as error:
            self._report(error)  # removed before its output was read: the exit may be known

    async def _obey(self, container: str, signals: Signals) -> None:
        """Stop the container when we are asked to end, and kill it the second time."""
        await signals.reach(1)
        polite = asyncio.create_task(self._stop(container, None))
        try:
            await signals.reach(2)
            await self._stop(container, _AT_ONCE)
            await polite
        finally:
            await _end(polite)

    async def _stop(self, container: str, grace: timedelta | None) -> None:
        try:
            await self._client.stop(container, grace=grace)
        except errors.ContainerNotFound:
            return  # it has gone by itself
        except errors.MoorageError as error:
            self._report(error)


def exit_code(ended: WaitResponse) -> int:
    """Return the container's exit code, and say so where it is not the process's."""
    status = ended.container.status
    if not status.HasField("exit"):
        complain("cannot tell the exit code: the container has none")
        return codes.NOT_STARTED
    if not exit_is_known(status.exit):
        complain(f"cannot tell the exit code: {exit_line(status.exit)}")
    return status.exit.code


async def run(
    client: Client,
    spec: ContainerSpec,
    sink: Sink,
    report: Callable[[errors.MoorageError], object],
) -> int:
    """Run a container to its end, and return what our own exit code has to be."""
    foreground = Foreground(client, sink, report)
    with Signals() as signals:
        started = await foreground.start(spec, signals)
        await sink.tell(started)
        ended = await foreground.watch(started, signals)
        await sink.tell(ended)
    return exit_code(ended)


async def _both(
    answer: Coroutine[Any, Any, WaitResponse], side: Coroutine[Any, Any, None]
) -> WaitResponse:
    """Return ``answer`` once both have ended; the first that fails ends the other."""
    tasks = (asyncio.create_task(answer), asyncio.create_task(side))
    try:
        ended, _ = await asyncio.gather(*tasks)
        return ended
    finally:
        await _end(*tasks)


async def _end(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
