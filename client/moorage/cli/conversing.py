"""Our side of what is connected to us: keys, window and signals there, output back.

What runs has our terminal as if it ran here: raw, with its size. Whatever ends the conversation,
the terminal is afterwards what it was before.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from moorage.cli.detach_keys import DetachKeys
from moorage.cli.outlets import Outlet, inlet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from moorage.cli.terminal import Terminal
    from moorage.connected import Connected

_STDIN, _STDOUT, _STDERR = 0, 1, 2
_MEANT_FOR_IT: Final = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
"""Signals that are passed on where there is no terminal that makes them of keys."""
_ENDING: Final = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
_PATIENCE: Final = 2
"""How often what runs is asked to end, before we leave it."""
_MEANT_FOR_US: Final = (signal.SIGTERM, signal.SIGHUP)
"""Those that end us where there is one."""


@dataclass(frozen=True)
class Manner:
    """How we are connected."""

    stdin: bool = False
    terminal: Terminal | None = None
    """Ours, where what runs has one too."""
    keys: bytes = b""
    stop: Callable[[int], None] | None = None
    """What is done when we are asked to end for the n-th time. None: it is asked instead."""


class Conversation:
    def __init__(self, remote: Connected, manner: Manner) -> None:
        self._remote = remote
        self._manner = manner
        self._out, self._err = Outlet(_STDOUT), Outlet(_STDERR)
        self._leaving = asyncio.Event()
        self._signals: asyncio.Queue[signal.Signals] = asyncio.Queue()
        self._asked = 0
        """How often we were asked to end."""
        self.left_by = 0
        """The signal that ended us before our end was due. 0: none, or we were detached by keys."""

    async def hold(self) -> bool:
        """Return once it has ended, or we leave it. False: we left."""
        async with AsyncExitStack() as stack:
            stack.enter_context(self._terminal())
            stack.enter_context(self._hearing_signals())
            listening = _kept(stack, self._listen())
            others = [_kept(stack, self._leaving.wait()), _kept(stack, self._obey())]
            if self._manner.stdin:
                others.append(_kept(stack, self._type()))
            while not listening.done() and not self._leaving.is_set():
                waiting = [listening, *(task for task in others if not task.done())]
                done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            return listening.done()

    async def _listen(self) -> None:
        async for output in self._remote:
            await (self._err if output.stderr else self._out).write(output.data)

    async def _type(self) -> None:
        # What is piped is data, whatever keys it looks like.
        keys = DetachKeys(self._manner.keys if self._manner.terminal is not None else b"")
        try:
            async for typed in inlet(_STDIN, lambda _: None):
                await self._remote.write(keys.sift(typed))
                if keys.found:
                    self._leaving.set()
                    return
        except OSError:  # the terminal was taken away
            if self._manner.terminal is None:
                raise
        if self._manner.terminal is None:
            await self._remote.end_stdin()
        else:
            self._leave(signal.SIGHUP)

    async def _obey(self) -> None:
        while True:
            number = await self._signals.get()
            if number is signal.SIGWINCH:
                await self._resize()
            elif self._manner.terminal is not None:
                self._leave(number)
            else:
                await self._pass_on(number)

    async def _resize(self) -> None:
        terminal = self._manner.terminal
        if terminal is not None and (size := terminal.size()) is not None:
            await self._remote.resize(*size)

    async def _pass_on(self, number: signal.Signals) -> None:
        if number in _ENDING:
            self._asked += 1
        if number in _ENDING and self._manner.stop is not None:
            self._manner.stop(self._asked)
        elif number in _ENDING and self._asked > _PATIENCE:  # it does not listen
            self._leave(number)
        else:
            await self._remote.signal(number.name)

    def _leave(self, number: signal.Signals) -> None:
        self.left_by = number
        self._leaving.set()

    @contextmanager
    def _terminal(self) -> Iterator[None]:
        with ExitStack() as stack:
            if self._manner.terminal is not None and self._manner.stdin:
                stack.enter_context(self._manner.terminal.raw())
            yield

    @contextmanager
    def _hearing_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        wanted = _MEANT_FOR_IT if self._manner.terminal is None else _MEANT_FOR_US
        # What whoever started us had ignored, as nohup does, stays so.
        heard = [n for n in wanted if signal.getsignal(n) is not signal.SIG_IGN]
        if self._manner.terminal is not None:
            heard.append(signal.SIGWINCH)
        for number in heard:
            loop.add_signal_handler(number, self._signals.put_nowait, number)
        try:
            yield
        finally:
            for number in heard:
                loop.remove_signal_handler(number)


def _kept(stack: AsyncExitStack, work: Any) -> asyncio.Task[Any]:
    """Let ``work`` go on for as long as the stack does."""
    task: asyncio.Task[Any] = asyncio.ensure_future(work)

    async def end() -> None:
        task.cancel()
        await asyncio.wait([task])

    stack.push_async_callback(end)
    return task
