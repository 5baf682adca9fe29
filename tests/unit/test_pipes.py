"""FIFOs: nothing is read before it is asked for, nothing is lost, nobody waits in vain."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from moored.streams.pipes import ReadEnd, WriteEnd

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


@pytest.fixture
def reading(fifo: Path) -> Iterator[ReadEnd]:
    end = ReadEnd(fifo)
    yield end
    end.close()


@pytest.fixture
def writer(reading: ReadEnd, fifo: Path) -> Iterator[int]:
    fd = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    yield fd
    try:
        os.close(fd)
    except OSError:
        assert reading.over


async def rung(end: ReadEnd) -> None:
    bell = asyncio.Event()
    end.listen(bell.set)
    async with asyncio.timeout(10):
        await bell.wait()


async def test_what_is_written_is_taken_in_order_and_then_the_end(
    reading: ReadEnd, writer: int
) -> None:
    assert reading.take() == b""
    assert not reading.over
    os.write(writer, b"one")
    await rung(reading)
    assert reading.take() == b"one"
    os.write(writer, b"two")
    os.close(writer)
    await rung(reading)
    assert reading.take() == b"two"
    assert reading.take() == b""
    assert reading.over


async def test_everybody_who_listens_is_rung_once(reading: ReadEnd, writer: int) -> None:
    bells = [asyncio.Event(), asyncio.Event()]
    for bell in bells:
        reading.listen(bell.set)
    os.write(writer, b"x")
    async with asyncio.timeout(10):
        for bell in bells:
            await bell.wait()
    assert reading.take() == b"x"


async def test_what_was_saved_comes_first_and_outlives_the_fifo(
    reading: ReadEnd, writer: int
) -> None:
    os.write(writer, b"one")
    assert reading.save(1 << 20)
    os.write(writer, b"two")
    reading.close()
    assert not reading.over
    assert reading.take() == b"one"
    assert reading.take() == b""
    assert reading.over


async def test_no_more_is_saved_than_there_is_room_for(reading: ReadEnd, writer: int) -> None:
    os.write(writer, b"x" * 65536)
    assert reading.save(1)
    assert not reading.save(1)
    assert reading.held == 65536


def test_nobody_to_read_is_a_broken_pipe(fifo: Path, tmp_path: Path) -> None:
    for path in (fifo, tmp_path / "nothing"):
        with pytest.raises(BrokenPipeError):
            asyncio.run(_opened(path))


async def _opened(path: Path) -> WriteEnd:
    return WriteEnd(path)


async def test_a_write_waits_for_its_reader_and_no_longer(reading: ReadEnd, fifo: Path) -> None:
    end = WriteEnd(fifo)
    data = os.urandom(1 << 20)
    writing = asyncio.create_task(end.write(data))
    got = bytearray()
    while len(got) < len(data):
        await rung(reading)
        got += reading.take()
    await writing
    assert bytes(got) == data
    end.close()


async def test_a_write_that_waits_ends_when_its_end_is_closed(reading: ReadEnd, fifo: Path) -> None:
    end = WriteEnd(fifo)
    writing = asyncio.create_task(end.write(b"x" * (1 << 20)))
    await asyncio.sleep(0)
    end.close()
    with pytest.raises(BrokenPipeError):
        async with asyncio.timeout(10):
            await writing
    with pytest.raises(BrokenPipeError):
        await end.write(b"more")


async def test_two_writes_are_not_mixed(reading: ReadEnd, fifo: Path) -> None:
    end = WriteEnd(fifo)
    size = 1 << 19
    writes = [asyncio.create_task(end.write(letter * size)) for letter in (b"a", b"b")]
    got = bytearray()
    while len(got) < 2 * size:
        await rung(reading)
        got += reading.take()
    await asyncio.gather(*writes)
    assert bytes(got) == b"a" * size + b"b" * size
    end.close()
