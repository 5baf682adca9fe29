"""What arrives lies in a file without a name, never larger than allowed, and goes with it."""

from __future__ import annotations

import asyncio
import gzip
import os
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from moored import errors
from moored.containerd.spool import Spool, spooled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

LIMIT = 1 << 20


async def stream(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def arrived(directory: Path, *chunks: bytes, limit: int = LIMIT) -> bytes:
    async with spooled(stream(*chunks), directory, limit) as held:
        return held.read(0, held.size)


def single_bytes(whole: bytes) -> list[bytes]:
    return [whole[at : at + 1] for at in range(len(whole))]


async def test_bytes_arrive_in_order(tmp_path: Path) -> None:
    assert await arrived(tmp_path, b"ab", b"", b"cdefgh", b"i") == b"abcdefghi"


async def test_few_bytes_arrive_too(tmp_path: Path) -> None:
    assert await arrived(tmp_path, b"a", b"b") == b"ab"


async def test_gzip_is_taken_off_wherever_it_is_cut(tmp_path: Path) -> None:
    packed = gzip.compress(b"hello " * 50)
    assert await arrived(tmp_path, packed) == b"hello " * 50
    assert await arrived(tmp_path, *single_bytes(packed)) == b"hello " * 50


async def test_gzip_of_several_parts_with_padding_is_one(tmp_path: Path) -> None:
    packed = gzip.compress(b"one") + gzip.compress(b"two") + b"\0" * 100
    assert await arrived(tmp_path, packed) == b"onetwo"
    assert await arrived(tmp_path, *single_bytes(packed)) == b"onetwo"


async def test_no_name_of_it_is_ever_in_the_directory(tmp_path: Path) -> None:
    directory = tmp_path / "made" / "when needed"
    async with spooled(stream(b"abc"), directory, LIMIT):
        assert os.listdir(directory) == []
    assert directory.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("chunks", "why"),
    [
        ((), "empty"),
        ((b"",), "empty"),
        ((gzip.compress(b""),), "empty"),
        ((gzip.compress(b"x" * 99)[:-9],), "ends in the middle"),
        ((gzip.compress(b"x" * 99)[:12],), "ends in the middle"),
        ((gzip.compress(b"x") + b"junk",), "broken gzip"),
        ((b"\x1f\x8b" + b"junk" * 9,), "broken gzip"),
        ((gzip.compress(b"") * 5000,), "more than 4096 parts"),
        ((b"\x28\xb5\x2f\xfd" + b"x" * 99,), "zstd"),
        ((b"\xfd7z", b"XZ\x00" + b"x" * 99), "xz"),
        ((b"BZh9",), "bzip2"),
    ],
)
async def test_what_cannot_be_read_is_refused(
    tmp_path: Path, chunks: tuple[bytes, ...], why: str
) -> None:
    with pytest.raises(errors.ArchiveInvalid, match=why):
        await arrived(tmp_path, *chunks)


async def test_the_limit_is_for_what_arrives(tmp_path: Path) -> None:
    assert len(await arrived(tmp_path, b"x" * 60, b"y" * 40, limit=100)) == 100
    with pytest.raises(errors.ArchiveTooLarge, match="more than 100 bytes"):
        await arrived(tmp_path, b"x" * 60, b"y" * 41, limit=100)


async def test_the_limit_is_for_what_it_unpacks_to(tmp_path: Path) -> None:
    bomb = zlib.compressobj(9, wbits=31)
    packed = b"".join(bomb.compress(bytes(LIMIT)) for _ in range(100)) + bomb.flush()
    assert len(packed) < LIMIT
    with pytest.raises(errors.ArchiveTooLarge) as caught:
        await arrived(tmp_path, packed)
    assert caught.value.facts == {"limit": str(LIMIT)}


async def test_a_cancelled_stream_closes_its_file(tmp_path: Path) -> None:
    begun = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b"some"
        begun.set()
        await asyncio.Event().wait()

    async def hold() -> None:
        async with spooled(endless(), tmp_path, LIMIT):
            raise AssertionError("it never ends")

    before = len(os.listdir("/proc/self/fd"))
    waiting = asyncio.create_task(hold())
    await begun.wait()
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting
    assert len(os.listdir("/proc/self/fd")) == before


async def test_reads_stop_at_the_end(tmp_path: Path) -> None:
    held = Spool(tmp_path, LIMIT)
    held.take(b"0123456789")
    held.finish()
    assert held.read(8, 5) == b"89"
    held.close()


async def test_a_stream_may_not_be_silent_for_long(tmp_path: Path) -> None:
    async def silent() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    with pytest.raises(errors.ArchiveInvalid, match=r"nothing has arrived for 0\.01 s"):
        async with spooled(silent(), tmp_path, LIMIT, silence=0.01):
            raise AssertionError("nothing came")
