"""What a container was given is compared with what is held for it, and nothing with nothing."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from moored.model.mounts import Mount, MountType
from moored.storage import binds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def source(tmp_path: Path) -> Iterator[binds.Source]:
    held = binds.Source(str(tmp_path), os.open(tmp_path, os.O_PATH))
    yield held
    held.close()


def mount(source: binds.Source) -> Mount:
    return Mount(MountType.BIND, destination=source.path, source=source.path)


def test_what_is_not_what_is_held_is_refused(source: binds.Source, tmp_path: Path) -> None:
    binds.compare(os.getpid(), str(tmp_path), source, mount(source))
    with pytest.raises(binds.NotAllowed, match="was replaced"):
        binds.compare(os.getpid(), str(tmp_path.parent), source, mount(source))
    with pytest.raises(FileNotFoundError):
        binds.compare(os.getpid(), str(tmp_path / "none"), source, mount(source))


@pytest.mark.parametrize("at", ["", ".."])
def test_a_process_that_has_ended_is_told_from_one_that_was_given_something_else(
    source: binds.Source, tmp_path: Path, at: str
) -> None:
    ended = subprocess.Popen(["true"])
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)  # a zombie has no root any more
    for _ in range(2):
        with pytest.raises(binds.Gone):
            binds.compare(ended.pid, str(tmp_path / at), source, mount(source))
        ended.wait()
