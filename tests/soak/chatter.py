"""Containers that count aloud, and those who listen to them over every restart.

Whoever counts says how far it came before it ends with a code of its own: a number that is
missing, comes twice or belongs to somebody else is seen, and so is an exit that is not true.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

import grpc
import grpc.aio

from moorage.v1 import container_pb2, container_service_pb2
from tests.real.conversations import attached
from tests.real.specs import shell
from tests.real.wire import CALL_WITHIN, duration, refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from moorage.v1.container_pb2 import Container, ContainerSpec
    from tests.real.wire import Refusal, Wire

Answer = TypeVar("Answer")

TOLD: Final = 7
"""With what it ends that counted until it was told to stop."""
BURST: Final = 100
"""Numbers that are said at once, before a pause."""
_SAYS: Final = (
    f"n=0; while [ $n -lt {BURST} ]; do echo $i; i=$((i+1)); n=$((n+1)); done;"
    " sleep {pause} & wait $!"
)
_UNTIL_TOLD: Final = (
    f'trap over=1 TERM; i=0; over=; while [ -z "$over" ]; do {_SAYS.format(pause=1)}; done;'
    f" echo end $i; exit {TOLD}"
)
_BRIEFLY: Final = (
    f"i=0; while [ $i -lt {{numbers}} ]; do {_SAYS.format(pause=0.4)}; done;"
    " echo end $i; exit {code}"
)
_CUT: Final = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED})
_UNDONE: Final = frozenset(
    {"RUNTIME_UNREACHABLE", "RUNTIME_REFUSED", "INTERRUPTED", "SHUTTING_DOWN", "NAME_TAKEN"}
)
"""What a start may say that was cut short, or found what was left of one for the moment."""
_END: Final = re.compile(rb"end (\d+)\n")


def until_told(name: str) -> ContainerSpec:
    """A container that counts until it is told to end."""
    return shell(_UNTIL_TOLD, name=name)


def briefly(name: str, code: int) -> ContainerSpec:
    """A container that counts for some seconds, and ends with ``code``."""
    numbers = (1 + code % 5) * BURST
    return shell(_BRIEFLY.format(numbers=numbers, code=code), name=name)


def miscounted(written: bytes) -> str:
    """Return what is wrong with what a counter wrote, or nothing."""
    body, last, end = written.rpartition(b"end ")
    match = _END.fullmatch(last + end)
    if match is None:
        return f"it has no end: {written[-40:]!r}"
    counted = body.splitlines()
    expected = [str(number).encode() for number in range(int(match[1]))]
    if counted == expected:
        return ""
    pairs = zip(counted, expected, strict=False)
    first = next((n for n, (one, other) in enumerate(pairs) if one != other), len(expected))
    return f"{len(counted)} numbers of {len(expected)}; wrong from {first}"


@dataclass
class Patient:
    """One caller, for whom a restart is no reason to give up."""

    wire: Wire
    retries: int = 0

    async def ask(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        """Ask until there is an answer that is not that nobody was there."""
        while True:
            try:
                return await call()
            except grpc.aio.AioRpcError as error:
                if error.code() not in _CUT:
                    raise
                self.retries += 1

    async def run(self, spec: ContainerSpec) -> Container:
        """Start it until it runs; what did not come to run is removed in between."""
        while True:
            request = container_service_pb2.StartRequest(spec=spec)
            try:
                start = self.wire.containers.Start
                answer = await start(request, timeout=CALL_WITHIN, wait_for_ready=True)
            except grpc.aio.AioRpcError as error:
                _expect_undone(error, refusal(error))
                self.retries += 1
                await self.remove(spec.name)
            else:
                return answer.container

    async def ended(self, container: str) -> Container:
        """Return it once it has exited."""
        request = container_service_pb2.WaitRequest(
            container=container,
            condition=container_service_pb2.WAIT_CONDITION_EXITED,
            timeout=duration(CALL_WITHIN),
        )
        wait = self.wire.containers.Wait
        answer: container_service_pb2.WaitResponse = await self.ask(
            lambda: wait(request, timeout=CALL_WITHIN, wait_for_ready=True)
        )
        assert answer.reached, f"{container} does not end: {answer}"
        return answer.container

    async def printed(self, container: str) -> bytes:
        return await self.ask(lambda: self.wire.printed(container, follow=False))

    async def remove(self, container: str) -> None:
        """Have nothing left of it; what containerd died under is told as left, and tried again."""
        complete = False
        while not complete:
            try:
                answer = await self.ask(lambda: self.wire.cleanup(container))
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.NOT_FOUND:
                    raise
                return
            complete = answer.complete


@dataclass
class Listener:
    """Attached to one container from its first byte to its last, by as many calls as it takes."""

    wire: Wire
    container: str
    heard: bytearray = field(default_factory=bytearray)
    calls: int = 0

    async def listen(self) -> None:
        """Go on where it was cut off, until the run has ended."""
        while not await self._listen_once():
            pass

    async def _listen_once(self) -> bool:
        self.calls += 1
        offset = len(self.heard)
        try:
            await self.wire.inspect(self.container)  # which waits until somebody is there
            async with attached(self.wire, self.container, run=1, stdout_offset=offset) as talk:
                while (said := await talk.call.read()) is not grpc.aio.EOF:
                    if said.WhichOneof("part") == "output":
                        assert said.output.offset == len(self.heard), "a gap, or a repeat"
                        self.heard += said.output.data
                    elif said.WhichOneof("part") == "end":
                        return True
        except grpc.aio.AioRpcError as error:
            if error.code() not in _CUT:
                raise
        return False


def _expect_undone(error: grpc.aio.AioRpcError, why: Refusal) -> None:
    if why.reason not in _UNDONE and error.code() not in _CUT:
        raise error


def assert_ended(container: Container, code: int) -> None:
    told = container.status.exit
    assert (told.origin, told.code) == (container_pb2.EXIT_ORIGIN_PROCESS, code), container
