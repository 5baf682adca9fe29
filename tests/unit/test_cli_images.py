"""``images`` moves archives byte for byte, from files and pipes, and shows people how far it is."""

from __future__ import annotations

import os
import pty
from typing import TYPE_CHECKING

import grpc
import pytest
import pytest_asyncio

from moorage.v1 import image_service_pb2
from tests.fakes.command import Command
from tests.fakes.service import BEGINNING, FakeMoored, Refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

ARCHIVE = bytes(range(256)) * 5000

# gRPC's poller serves all loops of a process, and stumbles over events of one that is closed.
pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def moored(tmp_path: Path) -> AsyncIterator[FakeMoored]:
    async with FakeMoored(tmp_path / "moored.sock") as fake:
        yield fake


@pytest.fixture
def moorage(moored: FakeMoored) -> Command:
    return Command(moored.address)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "image.tar"
    path.write_bytes(ARCHIVE)
    return path


async def test_a_file_is_imported(moored: FakeMoored, moorage: Command, archive: Path) -> None:
    result = await moorage("images", "import", "--name", "web:1", str(archive))
    assert (result.code, result.text, result.err) == (0, "web:1\n", "")
    assert moored.images.archive == ARCHIVE


async def test_a_pipe_is_imported(moored: FakeMoored, moorage: Command) -> None:
    result = await moorage("images", "import", "--json", "-", stdin=ARCHIVE)
    assert result.code == 0
    assert result.json["images"][0]["size"] == str(len(ARCHIVE))
    assert moored.images.archive == ARCHIVE


async def test_an_archive_that_is_refused_is_one_line(
    moored: FakeMoored, moorage: Command, archive: Path
) -> None:
    refusal = Refusal(
        grpc.StatusCode.INVALID_ARGUMENT, "ARCHIVE_INVALID", "cannot import an image: no tar"
    )
    moored.script.refuse("Import", refusal)
    result = await moorage("images", "import", str(archive))
    assert result.code == 1
    assert result.err == "moorage: cannot import an image: no tar (ARCHIVE_INVALID)\n"


async def test_what_is_no_file_is_wrong_usage(
    moored: FakeMoored, moorage: Command, tmp_path: Path
) -> None:
    assert (await moorage("images", "import", str(tmp_path / "none.tar"))).code == 2
    directory = await moorage("images", "import", str(tmp_path))
    assert directory.code == 2
    assert "it is a directory" in directory.err
    assert not moored.script.requests["Import"]


async def test_people_see_how_far_it_is(
    moored: FakeMoored, moorage: Command, archive: Path
) -> None:
    ours, theirs = pty.openpty()
    try:
        command = await moorage.begin("images", "import", str(archive), stderr=theirs)
        out, _ = await command.communicate()
        shown = os.read(ours, 4096).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert out == b"docker.io/library/imported:latest\n"
    assert "sent 512.0 KiB of 1.2 MiB (40 %)" in shown
    assert "sent 1.2 MiB, unpacking" in shown
    assert shown.endswith("\r\x1b[K")


async def test_a_terminal_is_no_archive(moorage: Command) -> None:
    ours, theirs = pty.openpty()
    try:
        command = await moorage.begin("images", "import", "-", stdin=theirs)
        _, err = await command.communicate()
    finally:
        os.close(ours)
        os.close(theirs)
    assert command.returncode == 2
    assert b"cannot read an archive from a terminal" in err


async def test_images_are_listed(moored: FakeMoored, moorage: Command) -> None:
    image = image_service_pb2.Image(name="docker.io/library/busybox:latest", size=2_500_000)
    image.digest = "sha256:0123456789abcdef"
    image.create_time.FromDatetime(BEGINNING)
    moored.images.images.append(image)
    heading, row = (await moorage("images", "ls")).lines
    assert heading.split() == ["NAME", "DIGEST", "SIZE", "CREATED"]
    assert row.split()[:4] == [image.name, "sha256:0123456789ab", "2.4", "MiB"]
    assert (await moorage("images", "ls", "-q")).lines == [image.name]


async def test_an_image_is_removed(moored: FakeMoored, moorage: Command) -> None:
    result = await moorage("images", "rm", "busybox")
    assert (result.code, result.text) == (0, "busybox\n")
    assert moored.script.requests["RemoveImage"][0].image == "busybox"
