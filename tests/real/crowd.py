"""A crowd of callers: streams that last, and calls at a steady rate, each with how it ended.

Changes name themselves by a ``request_id``, so that whatever did not get an answer can be asked
again, by the same request, of whoever serves then.
"""

from __future__ import annotations

import asyncio
import itertools
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import grpc
import grpc.aio

from moorage.v1 import container_service_pb2 as service
from moorage.v1 import exec_service_pb2
from tests.real.specs import sleeper
from tests.real.wire import CALL_WITHIN, Refusal, Wire, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STREAMS: Final = ("Watch", "Logs", "Exec", "Attach")
_START_EVERY: Final = 40
_PAGE: Final = 20


@dataclass
class Asked:
    """One call, and what became of it: an answer, or a refusal."""

    method: str
    request: Any
    answer: Any = None
    refused: Refusal | None = None


@dataclass
class Crowd:
    wires: Sequence[Wire]
    container: str
    """A running one, which is looked at and listened to."""
    name: str
    """Begins the name of each container that the crowd makes, and of each request."""
    asked: list[Asked] = field(default_factory=list)
    streams: list[Asked] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by whoever had enough of it."""
    listening: int = 0
    """Streams that had a first response."""
    _started: list[str] = field(default_factory=list)
    _turns: Iterator[int] = field(default_factory=itertools.count)

    async def call(self, rate: float) -> None:
        """Ask so many times a second until it is over, and return once all has been answered."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        async with asyncio.TaskGroup() as calls:
            while not self.over.is_set():
                calls.create_task(self._ask(self._next()))
                due += 1 / rate
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(due):
                        await self.over.wait()

    async def listen(self, many: int, within: float = CALL_WITHIN) -> None:
        """Open so many streams, of every kind in turn, and return once all have ended."""
        async with asyncio.TaskGroup() as streams:
            for number in range(many):
                stream = Asked(STREAMS[number % len(STREAMS)], None)
                self.streams.append(stream)
                streams.create_task(self._stream(stream, self._wire(number), within))

    async def again(self, wire: Wire, at_once: int = 8) -> None:
        """Ask again, by the same request, all that was refused. What is answered then is kept."""
        turns = asyncio.Semaphore(at_once)

        async def retry(asked: Asked) -> None:
            async with turns:
                asked.answer = await _method(wire, asked.method)(
                    asked.request, timeout=CALL_WITHIN, wait_for_ready=True
                )

        async with asyncio.TaskGroup() as calls:
            for asked in self.asked:
                if asked.answer is None:
                    calls.create_task(retry(asked))

    @property
    def refusals(self) -> list[tuple[str, Refusal]]:
        all_ = (*self.asked, *self.streams)
        return [(asked.method, asked.refused) for asked in all_ if asked.refused]

    def answers(self, method: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.method == method and asked.answer]

    def _next(self) -> Asked:
        turn = next(self._turns)
        self.asked.append(self._what(turn, f"{self.name}-{turn}"))
        return self.asked[-1]

    def _what(self, turn: int, name: str) -> Asked:
        if turn % _START_EVERY == 0:
            spec = sleeper(name=name)
            return Asked("Start", service.StartRequest(spec=spec, request_id=name))
        if turn % _START_EVERY == 1 and len(self._started) > 1:
            return Asked("Cleanup", _cleanup(self._started.pop(0), name))
        if turn % 10 == 2:
            spec = sleeper(name=name)
            return Asked("Create", service.CreateRequest(spec=spec, request_id=name))
        if turn % 10 == 3:
            return Asked("List", service.ListRequest(page_size=_PAGE))
        return Asked("Inspect", service.InspectRequest(container=self.container))

    async def _ask(self, asked: Asked) -> None:
        wire = self._wire(len(self.asked))
        try:
            asked.answer = await _method(wire, asked.method)(asked.request, timeout=CALL_WITHIN)
        except grpc.aio.AioRpcError as error:
            asked.refused = refusal(error)
        else:
            if asked.method == "Start":
                self._started.append(asked.answer.container.id)

    async def _stream(self, stream: Asked, wire: Wire, within: float) -> None:
        call = _listening(wire, stream.method, self.container, within)
        try:
            if stream.method in {"Exec", "Attach"}:
                await call.write(_beginning(stream.method, self.container))
            while (response := await call.read()) is not grpc.aio.EOF:
                self.listening += stream.answer is None
                stream.answer = response
        except grpc.aio.AioRpcError as error:
            stream.refused = refusal(error)

    def _wire(self, number: int) -> Wire:
        return self.wires[number % len(self.wires)]


def _method(wire: Wire, name: str) -> Any:
    return getattr(wire.containers, name)


def _cleanup(container: str, name: str) -> service.CleanupRequest:
    return service.CleanupRequest(container=container, force=True, remove=True, request_id=name)


def _listening(wire: Wire, method: str, container: str, within: float) -> Any:
    if method == "Watch":
        return wire.containers.Watch(service.WatchRequest(), timeout=within)
    if method == "Logs":
        request = service.LogsRequest(container=container, follow=True)
        return wire.containers.Logs(request, timeout=within)
    if method == "Exec":
        return wire.execs.Exec(timeout=within)
    return wire.containers.Attach(timeout=within)


def _beginning(method: str, container: str) -> Any:
    if method == "Exec":
        spec = exec_service_pb2.ExecSpec(args=["sleep", "100000"])
        start = exec_service_pb2.ExecStart(container=container, spec=spec)
        return exec_service_pb2.ExecRequest(start=start)
    return service.AttachRequest(start=service.AttachStart(container=container))
