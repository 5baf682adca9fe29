"""An archive arrives byte for byte, in messages of a fair size, wherever it comes from."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import grpc
import pytest
import pytest_asyncio

from moorage import Client, errors
from moorage.archives import CHUNK
from tests.fakes.service import FakeMoored, Refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

ARCHIVE = bytes(range(256)) * 6000

# gRPC's poller serves all loops of a process, and stumbles over events of one that is closed.
pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def moored(tmp_path: Path) -> AsyncIterator[FakeMoored]:
    async with FakeMoored(tmp_path / "moored.sock") as fake:
        yield fake


@pytest_asyncio.fixture(loop_scope="session")
async def client(moored: FakeMoored) -> AsyncIterator[Client]:
    async with Client(moored.address) as connected:
        yield connected


async def slices() -> AsyncIterator[bytes]:
    for start in range(0, len(ARCHIVE), 1000):
        yield ARCHIVE[start : start + 1000]


async def test_small_pieces_are_gathered(moored: FakeMoored, client: Client) -> None:
    answer = await client.import_image(slices(), name="web:1")
    assert moored.images.archive == ARCHIVE
    assert moored.images.chunks == [CHUNK, CHUNK, len(ARCHIVE) - 2 * CHUNK]
    assert [image.name for image in answer.images] == ["web:1"]


@pytest.mark.parametrize("archive", [[ARCHIVE], io.BytesIO(ARCHIVE)], ids=["whole", "file"])
async def test_large_pieces_are_cut(
    moored: FakeMoored, client: Client, archive: list[bytes] | io.BytesIO
) -> None:
    await client.import_image(archive)
    assert moored.images.archive == ARCHIVE
    assert max(moored.images.chunks) == CHUNK


async def test_an_error_of_the_source_is_raised_as_it_is(
    moored: FakeMoored, client: Client
) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield ARCHIVE
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        await client.import_image(broken())
    assert not moored.images.images


async def test_an_answer_before_the_end_ends_the_sending(
    moored: FakeMoored, client: Client
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield ARCHIVE

    moored.images.enough = CHUNK
    refusal = Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "ARCHIVE_TOO_LARGE", "cannot: too large")
    for _ in range(100):  # which of the two comes first, the answer or a failed write, varies
        moored.script.refuse("Import.enough", refusal)
        with pytest.raises(errors.ArchiveTooLarge):
            await client.import_image(endless())
