"""One run of a program: what it is given, for how long, and how much of its answer is taken.

Spawned in a thread by vfork, so that nothing of ours is copied and no gRPC call waits. It
leads a session of its own: when its time is up, or nobody wants its answer any more, it ends
with everything that it started and that stayed in its group. It has ended when ``run`` has.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import selectors
import subprocess
import time
from dataclasses import dataclass, field
from functools import partial
from typing import IO, TYPE_CHECKING, Final

from moored.network.cni.groups import end_group
from moored.uninterrupted import uninterrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Executor

LARGEST_ANSWER: Final = 2**20
"""Bytes of standard output: more, and it is ended."""
LARGEST_REMARK: Final = 4096
"""Bytes of standard error that are kept: the last ones."""
_CHUNK: Final = 65536


class Overdue(Exception):
    """It did not end in its time, and was ended."""


class TooTalkative(Exception):
    """It wrote more than anybody would read, and was ended."""


class Unwanted(Exception):
    """Nobody waited for it any more, and it was ended."""


@dataclass(frozen=True)
class Ended:
    """``code`` is negative for a signal."""

    code: int
    answer: bytes
    remark: bytes


@dataclass(frozen=True)
class Order:
    program: str
    environment: Mapping[str, str]
    input: bytes
    within: float
    spawned: Callable[[int], None]
    """Told the pid before the program gets anything of its input."""


async def run(order: Order, executor: Executor) -> Ended:
    """Run it to its end. A cancel ends it, and is raised once it has ended."""
    unwanted = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
    deadline = time.monotonic() + order.within
    work = partial(_run, order, deadline, unwanted)
    task = asyncio.ensure_future(asyncio.get_running_loop().run_in_executor(executor, work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        os.eventfd_write(unwanted, 1)
        await uninterrupted(_over(task))
        raise
    finally:
        os.close(unwanted)


async def _over(task: asyncio.Future[Ended]) -> None:
    await asyncio.wait((task,))
    task.exception()  # seen: the cancel goes first


def _run(order: Order, deadline: float, unwanted: int) -> Ended:
    if time.monotonic() >= deadline:  # before it came to its turn
        raise Overdue
    with subprocess.Popen(
        [order.program],
        env=order.environment,
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            order.spawned(process.pid)
            exchange = _Exchange(process, order.input)
            exchange.until_ended(deadline, unwanted)
        except BaseException:
            end_group(process.pid)
            raise
        return Ended(process.wait(), bytes(exchange.answer), bytes(exchange.remark))


@dataclass
class _Exchange:
    """What goes in and comes out, without waiting for whoever else holds the pipes."""

    process: subprocess.Popen[bytes]
    input: bytes
    answer: bytearray = field(default_factory=bytearray)
    remark: bytearray = field(default_factory=bytearray)

    def until_ended(self, deadline: float, unwanted: int) -> None:
        pidfd = os.pidfd_open(self.process.pid)
        with contextlib.ExitStack() as stack:
            stack.callback(os.close, pidfd)
            waiting = stack.enter_context(selectors.DefaultSelector())
            self._register(waiting)
            waiting.register(pidfd, selectors.EVENT_READ)
            waiting.register(unwanted, selectors.EVENT_READ)
            while not self._step(waiting, deadline, {pidfd: True, unwanted: False}):
                pass
        self._take_the_rest()

    def _register(self, waiting: selectors.BaseSelector) -> None:
        for pipe, event, deed in (
            (self.process.stdin, selectors.EVENT_WRITE, self._give),
            (self.process.stdout, selectors.EVENT_READ, self._take_answer),
            (self.process.stderr, selectors.EVENT_READ, self._take_remark),
        ):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
            waiting.register(pipe, event, deed)

    def _step(
        self, waiting: selectors.BaseSelector, deadline: float, signs: Mapping[int, bool]
    ) -> bool:
        """Return whether it has ended. ``signs``: what says so, and what says to end it."""
        ready = waiting.select(deadline - time.monotonic())
        if not ready:
            raise Overdue
        for key, _ in ready:
            if (sign := signs.get(key.fd)) is not None:
                if sign:
                    return True
                raise Unwanted
            if not key.data(key.fileobj):
                waiting.unregister(key.fileobj)
                key.fileobj.close()  # type: ignore[union-attr]  # only pipes have a deed
        return False

    def _give(self, pipe: IO[bytes]) -> bool:
        try:
            written = os.write(pipe.fileno(), self.input[:_CHUNK])
        except BlockingIOError:
            return True
        except BrokenPipeError:  # it does not want to know: its answer will tell
            return False
        self.input = self.input[written:]
        return bool(self.input)

    def _take_answer(self, pipe: IO[bytes]) -> bool:
        part = os.read(pipe.fileno(), _CHUNK)
        self.answer += part
        if len(self.answer) > LARGEST_ANSWER:
            raise TooTalkative
        return bool(part)

    def _take_remark(self, pipe: IO[bytes]) -> bool:
        part = os.read(pipe.fileno(), _CHUNK)
        self.remark += part
        del self.remark[:-LARGEST_REMARK]
        return bool(part)

    def _take_the_rest(self) -> None:
        """Take what is in the pipes now. Whoever else holds them is not waited for."""
        for pipe, take in (
            (self.process.stdout, self._take_answer),
            (self.process.stderr, self._take_remark),
        ):
            assert pipe is not None
            with contextlib.suppress(BlockingIOError):
                while not pipe.closed and take(pipe):
                    pass
