"""A drain moves what is in a pipe to where the copier put it, and holds up nobody if it cannot."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from moored.streams.drain import Drain

if TYPE_CHECKING:
    from pathlib import Path

WITHIN = 20.0


def pipe() -> tuple[int, int]:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    return reading, writing


async def test_what_was_written_is_appended_until_the_last_writer_ends(tmp_path: Path) -> None:
    file = tmp_path / "stdout"
    file.write_bytes(b"before ")
    reading, writing = pipe()
    drain = Drain(reading, file)
    total = 1 << 20

    def fill() -> None:
        left = total
        while left:
            left -= os.write(writing, b"x" * min(left, 1 << 16))
        os.close(writing)

    async with asyncio.timeout(WITHIN):
        await asyncio.to_thread(fill)
    drain.close()
    assert file.read_bytes() == b"before " + b"x" * total
    assert drain.lost == 0


async def test_what_is_left_when_it_is_closed_is_taken_along(tmp_path: Path) -> None:
    file = tmp_path / "stdout"
    file.touch()
    reading, writing = pipe()
    drain = Drain(reading, file)
    os.write(writing, b"last words")
    drain.close()
    drain.close()
    os.close(writing)
    assert file.read_bytes() == b"last words"


async def test_what_finds_no_room_is_lost_and_counted() -> None:
    from pathlib import Path

    reading, writing = pipe()
    drain = Drain(reading, Path("/dev/full"))
    os.write(writing, b"lost")
    os.close(writing)
    drain.close()
    assert drain.lost == 4
