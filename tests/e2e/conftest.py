"""What tests of mounts share: a moored that allows binds of one directory, and images."""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING, Final

import pytest

from tests.real.images import entry, layer, with_layers
from tests.real.wire import Wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.real.moored import Moored
    from tests.real.site import Site

RICH: Final = "rich:1"
"""An image of three layers with a directory /data."""
WANTING: Final = "wanting:1"
"""The same, with a volume that it wants at /wanted."""


@pytest.fixture(scope="session")
def bind_root(site: Site) -> Path:
    """The only directory of the host's that binds may be of."""
    root = site.directory / "binds"
    root.mkdir()
    return root


@pytest.fixture(scope="session")
def policy(site: Site, bind_root: Path) -> Path:
    """The policy that says so."""
    file = site.directory / "policy.toml"
    file.write_text(f'[roles.local]\nbind_roots = ["{bind_root}"]\n')
    return file


@pytest.fixture(scope="session")
def mounting(site: Site, policy: Path, rich_archives: tuple[Path, ...]) -> Moored:
    daemon = site.start_moored({"policy": str(policy)})
    for rich in rich_archives:
        daemon.import_image(rich)
    return daemon


@pytest.fixture
async def mounts(mounting: Moored) -> AsyncIterator[Wire]:
    """The wire to a moored that mounts."""
    async with Wire(mounting.address) as connected:
        yield connected


@pytest.fixture(scope="session")
def rich_archives(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    first = layer(
        entry("data", tarfile.DIRTYPE, mode=0o750, owner=(1000, 2000)),
        (entry("data/plain", mode=0o640, owner=(1, 2), attributes={"user.note": "kept"}), b"plain"),
        entry("data/twin", tarfile.LNKTYPE, mode=0o640, owner=(1, 2), link="data/plain"),
        (entry("data/program", mode=0o4755), b"#!/bin/sh\necho ran\n"),
        (entry("data/gone"), b"gone"),
        entry("data/pipe", tarfile.FIFOTYPE, mode=0o600),
        entry("data/null", tarfile.CHRTYPE, mode=0o666, device=(1, 3)),
        entry("data/out", tarfile.SYMTYPE, link="/../../../../etc/passwd"),
        entry("link", tarfile.SYMTYPE, link="/data"),
        entry("escape", tarfile.SYMTYPE, link="/../../../../tmp"),
        entry("wanted", tarfile.DIRTYPE, mode=0o755),
        (entry("wanted/seed"), b"seed"),
    )
    second = layer(
        entry("data/.wh.gone"),
        entry("data/deep", tarfile.DIRTYPE, mode=0o700, owner=(3, 3)),
        (entry("data/deep/file"), b"deep"),
    )
    place = tmp_path_factory.mktemp("image")
    return tuple(
        with_layers(
            archive, place / f"{name}.tar", name=name, layers=(first, second), volumes=wants
        )
        for name, wants in ((RICH, ()), (WANTING, ("/wanted",)))
    )
