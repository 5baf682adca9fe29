"""The law of sockets: a path too long is refused before it is tried; who listens is told."""

from __future__ import annotations

import os
import socket
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from moored import errors
from moored.containerd import sockets

if TYPE_CHECKING:
    from pathlib import Path


def test_the_longest_path_that_a_socket_can_have_passes() -> None:
    sockets.check("/" + "x" * (sockets.LONGEST_PATH - 1))


@pytest.mark.parametrize("path", ["/" + "x" * sockets.LONGEST_PATH, "/" + "ä" * 60])
def test_a_longer_path_is_refused_with_its_length(path: str) -> None:
    with pytest.raises(errors.SetupRefused, match=f"has {len(path.encode())} bytes"):
        sockets.check(path)


def test_the_process_that_listens_is_told(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with closing(socket.socket(socket.AF_UNIX)) as listening:
        listening.bind(path)
        assert not sockets.listened_to(path)
        listening.listen()
        assert sockets.listened_to(path)
        assert sockets.listener(path) == os.getpid()
    assert not sockets.listened_to(path)
    assert sockets.listener(path) == 0


def test_a_crowded_socket_is_listened_to(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with closing(socket.socket(socket.AF_UNIX)) as listening:
        listening.bind(path)
        listening.listen(0)
        with closing(socket.socket(socket.AF_UNIX)) as first:
            first.connect(path)
            assert sockets.listened_to(path)


def test_nobody_listens_where_there_is_no_socket(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "nothing"):
        assert not sockets.listened_to(str(path))
        assert sockets.listener(str(path)) == 0
