"""The stdin of containers: FIFOs that shims read, and callers who write to them.

Laws: what one caller sends at a time is not mixed with what another does; the end of stdin is
for good; a FIFO that its shim has let go of is closed, whoever closed it, also before this
moored began. A stdin that only one might have ends once that one has left, whatever becomes of
the call that left, and however long containerd is away meanwhile.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from moored import errors
from moored.model.identity import RunId, run_id
from moored.streams.pipes import WriteEnd

if TYPE_CHECKING:
    from moored.model.state import Snapshot
    from moored.storage.channels import Channels


_PAUSE: Final = 1.0
"""Seconds before containerd, which did not answer, is asked again."""


class Closer(Protocol):
    async def close_stdin(self, run: RunId) -> bool: ...


@dataclass
class Shared:
    """One writing end, and how many have it."""

    end: WriteEnd
    holders: int = 0


@dataclass(kw_only=True)
class Stdins:
    channels: Channels
    closer: Closer
    pause: float = _PAUSE
    _open: dict[RunId, Shared] = field(default_factory=dict)
    _endings: dict[RunId, asyncio.Task[None]] = field(default_factory=dict)

    def take(self, snapshot: Snapshot) -> Hold:
        """Return the right to write to the stdin of a container's current run."""
        run, spec = run_id(snapshot.id, snapshot.run), snapshot.spec
        if not spec.stdin:
            raise _not_open(run, "the container was created without")
        if spec.stdin_once and self.channels.used_once(run):
            raise _not_open(run, "only one may ever have it, and somebody has or had it")
        shared = self._open.get(run)
        if shared is None:
            try:
                shared = self._open[run] = Shared(WriteEnd(self.channels.stdin(run)))
            except BrokenPipeError as error:
                raise _not_open(run, "it was closed") from error
        if spec.stdin_once:
            self.channels.use_once(run)
        shared.holders += 1
        return Hold(self, run, shared, once=spec.stdin_once)

    def recover(self, snapshot: Snapshot) -> None:
        """End a stdin that only one might have, and whose holder went with an older moored."""
        run = run_id(snapshot.id, snapshot.run)
        if snapshot.spec.stdin_once and self.channels.used_once(run):
            self.end_abandoned(run)

    def end_abandoned(self, run: RunId) -> None:
        """See to it that it ends, for nobody who waits. A second time changes nothing."""
        self._let_go(run)
        if run not in self._endings:
            task = asyncio.create_task(self._end_at_last(run), name=f"end stdin of {run}")
            self._endings[run] = task
            task.add_done_callback(lambda _: self._endings.pop(run, None))

    async def end(self, run: RunId) -> None:
        """Close it for good. A second time changes nothing."""
        self._let_go(run)
        await self.closer.close_stdin(run)

    def drop(self, run: RunId) -> None:
        """Let go of a run that is over."""
        self._let_go(run)
        if ending := self._endings.get(run):
            ending.cancel()

    async def close(self) -> None:
        """Leave what has not ended to the next moored's recovery."""
        endings = list(self._endings.values())
        for ending in endings:
            ending.cancel()
        await asyncio.gather(*endings, return_exceptions=True)

    def release(self, run: RunId, shared: Shared) -> None:
        """``Hold.leave``'s work: call that."""
        shared.holders -= 1
        if not shared.holders and self._open.get(run) is shared:
            self._let_go(run)

    def _let_go(self, run: RunId) -> None:
        if shared := self._open.pop(run, None):
            shared.end.close()

    async def _end_at_last(self, run: RunId) -> None:
        while True:
            try:
                await self.closer.close_stdin(run)
            except errors.MooredError:
                await asyncio.sleep(self.pause)
            else:
                return


class Hold:
    """One caller's right to write. What nobody reads any more is dropped."""

    def __init__(self, stdins: Stdins, run: RunId, shared: Shared, *, once: bool) -> None:
        self._stdins = stdins
        self._run = run
        self._shared = shared
        self._once = once
        self._left = False

    async def write(self, data: bytes) -> None:
        with suppress(BrokenPipeError):
            await self._shared.end.write(data)

    async def end(self) -> None:
        """Close stdin for everybody."""
        await self._stdins.end(self._run)

    def leave(self) -> None:
        """Give the right back; one that only one might have ends stdin with it."""
        if self._left:
            return
        self._left = True
        self._stdins.release(self._run, self._shared)
        if self._once:
            self._stdins.end_abandoned(self._run)


def _not_open(run: RunId, why: str) -> errors.StdinNotOpen:
    return errors.StdinNotOpen(f"cannot write to stdin of run {run!r}: {why}", run=run)
