"""What we are connected to: a command that runs, a container that runs.

Both are written to, and iterated over for their output. What they ended with is there once the
iteration has come to its end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from moorage.v1 import container_service_pb2 as attach_wire
from moorage.v1 import exec_service_pb2 as wire
from moorage.v1.terminal_pb2 import StdinEnd, WindowSize

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from moorage.dialogues import Dialogue
    from moorage.v1.container_pb2 import Container

LARGEST_WRITE: Final = 128 * 1024
"""Bytes of stdin that are sent in one message."""


@dataclass(frozen=True)
class Output:
    """Some output, in the order in which it came."""

    data: bytes
    stderr: bool = False
    offset: int | None = None
    """Of the first byte in its stream; None for an exec, whose output is not kept."""


class Connected(Protocol):
    """Streams of something that runs: what ``exec`` and ``attach`` have in common."""

    def __aiter__(self) -> AsyncIterator[Output]: ...
    async def write(self, data: bytes) -> None: ...
    async def end_stdin(self) -> None: ...
    async def resize(self, width: int, height: int) -> None: ...
    async def signal(self, signal: str) -> None: ...


class _Streams:
    """Writes to a dialogue whose requests have parts of these names."""

    def __init__(self, dialogue: Dialogue[Any, Any], request: type[Any]) -> None:
        self._dialogue = dialogue
        self._request = request

    async def write(self, data: bytes) -> None:
        """Write to stdin, as fast as it is read. What nobody reads any more is dropped."""
        for at in range(0, len(data), LARGEST_WRITE):
            await self._dialogue.send(self._request(stdin=data[at : at + LARGEST_WRITE]))

    async def end_stdin(self) -> None:
        """Let it read the end of its stdin. A terminal is hung up."""
        await self._dialogue.send(self._request(stdin_end=StdinEnd()))

    async def resize(self, width: int, height: int) -> None:
        """Give its terminal another size, in characters."""
        await self._dialogue.send(self._request(window=WindowSize(width=width, height=height)))

    async def signal(self, signal: str) -> None:
        """Send it a signal, by name or number."""
        await self._dialogue.send(self._request(signal=signal))


class Execution(_Streams):
    """A command that runs. ``ended`` has its exit once the iteration has come to its end."""

    def __init__(self, dialogue: Dialogue[wire.ExecRequest, wire.ExecResponse]) -> None:
        super().__init__(dialogue, wire.ExecRequest)
        self.started = wire.Exec()
        self.ended: wire.Exec | None = None

    async def begin(self) -> None:
        """``Execs.exec``'s work: call that."""
        first = await self._dialogue.receive()
        if first is not None:
            self.started = first.started

    async def __aiter__(self) -> AsyncGenerator[Output, None]:
        while (response := await self._dialogue.receive()) is not None:
            match response.WhichOneof("part"):
                case "stdout":
                    yield Output(response.stdout)
                case "stderr":
                    yield Output(response.stderr, stderr=True)
                case "end":
                    self.ended = response.end


class Attachment(_Streams):
    """A run that we are attached to. ``ended`` says how it ended, once the iteration has."""

    def __init__(
        self, dialogue: Dialogue[attach_wire.AttachRequest, attach_wire.AttachResponse]
    ) -> None:
        super().__init__(dialogue, attach_wire.AttachRequest)
        self.container: Container | None = None
        """As it was when this began."""
        self.ended: attach_wire.AttachEnd | None = None

    async def begin(self) -> None:
        """``Execs.attach``'s work: call that."""
        first = await self._dialogue.receive()
        if first is not None:
            self.container = first.started

    async def __aiter__(self) -> AsyncGenerator[Output, None]:
        while (response := await self._dialogue.receive()) is not None:
            match response.WhichOneof("part"):
                case "output":
                    output = response.output
                    stderr = output.stream == attach_wire.LOG_STREAM_STDERR
                    yield Output(output.data, stderr, output.offset)
                case "end":
                    self.ended = response.end
