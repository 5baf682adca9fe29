"""Output as runs leave it: real files, written at chosen times, and runs that end when told."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Final

from moored.model.identity import ContainerId
from moored.streams.index import Record, append
from moored.streams.inotify import Inotify
from moored.streams.logs import LogReader, Quiet

if TYPE_CHECKING:
    from pathlib import Path

    from moored.streams.source import Chunk

BOX: Final = ContainerId("b0" * 16)
SECOND: Final = 1_000_000_000
DEADLINE: Final = 20.0
"""Seconds after which a test has waited in vain."""


def write(file: Path, written: bytes, *, at: int, indexed: bool = True) -> None:
    """Append to ``file`` at second ``at``, with somebody watching or not."""
    with file.open("ab") as opened:
        opened.write(written)
    os.utime(file, ns=(at * SECOND, at * SECOND))
    if indexed:
        append(file, Record(file.stat().st_size, at * SECOND))


class Ending:
    """A run that has ended once ``end`` was called."""

    def __init__(self) -> None:
        self._ended = asyncio.Event()

    def end(self) -> None:
        self._ended.set()

    def ended(self) -> bool:
        return self._ended.is_set()

    async def wait_ended(self) -> None:
        await self._ended.wait()


async def all_of(reader: LogReader) -> list[Chunk]:
    """Return what ``reader`` delivers until it ends."""
    async with asyncio.timeout(DEADLINE):
        return [piece async for piece in reader.pieces() if not isinstance(piece, Quiet)]


async def chunk_of(reader: LogReader) -> Chunk:
    """Return the next chunk; there has to be one."""
    async with asyncio.timeout(DEADLINE):
        chunk = await reader.read()
    assert chunk is not None
    assert not isinstance(chunk, Quiet)
    return chunk


async def grown_to(file: str, size: int) -> None:
    """Wait until ``file`` has this size at least, by the kernel's word."""
    notifier = Inotify()
    changed = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(notifier.fileno(), changed.set)
    try:
        async with asyncio.timeout(DEADLINE):
            while True:
                notifier.watch(file)
                if os.stat(file).st_size >= size:  # no disk is waited for
                    return
                await changed.wait()
                notifier.fired()
                changed.clear()
    finally:
        loop.remove_reader(notifier.fileno())
        notifier.close()
