"""Calls that are written and read at once: Exec and Attach, as any client could make them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc.aio

from moorage.v1 import container_service_pb2 as attach_wire
from moorage.v1 import exec_service_pb2 as exec_wire
from moorage.v1.terminal_pb2 import StdinEnd, WindowSize
from tests.real.wire import CALL_WITHIN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.real.wire import Wire


class Conversation:
    """One call. ``request`` is the class of what is sent."""

    def __init__(self, call: Any, request: Any) -> None:
        self.call = call
        self._request = request
        self.stdout = bytearray()
        """All that was read, as the other side wrote it."""
        self.stderr = bytearray()

    async def say(self, **part: Any) -> None:
        await self.call.write(self._request(**part))

    async def type(self, text: str) -> None:
        await self.say(stdin=text.encode())

    async def end_stdin(self) -> None:
        await self.say(stdin_end=StdinEnd())

    async def resize(self, width: int, height: int) -> None:
        await self.say(window=WindowSize(width=width, height=height))

    async def hear(self) -> Any:
        """Return the next response; None: there is none. Output is kept as well."""
        response = await self.call.read()
        if response is grpc.aio.EOF:
            return None
        match response.WhichOneof("part"):
            case "stdout":
                self.stdout += response.stdout
            case "stderr":
                self.stderr += response.stderr
            case "output":
                output = response.output
                stderr = output.stream == attach_wire.LOG_STREAM_STDERR
                (self.stderr if stderr else self.stdout).extend(output.data)
        return response

    async def until(self, text: str) -> None:
        """Return once ``text`` was written to stdout."""
        while text.encode() not in self.stdout:
            assert await self.hear() is not None, f"ended: {bytes(self.stdout)!r}"

    async def to_end(self) -> Any:
        """Return what the last response says, once nothing comes after it."""
        last = None
        while (response := await self.hear()) is not None:
            last = response
        assert last is not None
        assert last.WhichOneof("part") == "end"
        return last.end


@asynccontextmanager
async def executing(
    wire: Wire, container: str, *args: str, stdin: bool = False, window: Any = None, **spec: Any
) -> AsyncIterator[Conversation]:
    """Execute a command, and be connected to it; leaving goes away from it."""
    call: Any = wire.execs.Exec(timeout=CALL_WITHIN)
    talk = Conversation(call, exec_wire.ExecRequest)
    asked = exec_wire.ExecSpec(args=args, **spec)
    start = exec_wire.ExecStart(container=container, spec=asked, stdin=stdin, window=window)
    async with _hanging_up(call):
        await talk.say(start=start)
        yield talk


@asynccontextmanager
async def attached(wire: Wire, container: str, **start: Any) -> AsyncIterator[Conversation]:
    """Be attached to a container; leaving detaches."""
    call: Any = wire.containers.Attach(timeout=CALL_WITHIN)
    talk = Conversation(call, attach_wire.AttachRequest)
    async with _hanging_up(call):
        await talk.say(start=attach_wire.AttachStart(container=container, **start))
        yield talk


@asynccontextmanager
async def _hanging_up(call: Any) -> AsyncIterator[None]:
    try:
        yield
    finally:
        call.cancel()
