"""A world for each test: a fake containerd, a house on it, one image."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fakes.containerd import FakeContainerd
from tests.faults.world import bring_image, opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.faults.world import World


@pytest.fixture
def home() -> Iterator[Path]:
    """A short path: sockets are below it."""
    place = Path(tempfile.mkdtemp(prefix="mgf.", dir="/tmp"))
    place.chmod(0o711)
    yield place
    shutil.rmtree(place)


@pytest.fixture
async def fake(home: Path) -> AsyncIterator[FakeContainerd]:
    async with FakeContainerd.serving(home / "c.sock") as serving:
        yield serving


@pytest.fixture
async def world(home: Path, fake: FakeContainerd) -> AsyncIterator[World]:
    async with opened(home / "one", fake) as built:
        await bring_image(built)
        yield built
