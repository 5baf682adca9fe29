"""The law: what is read is a regular file at its own name below a root, and not too large."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from moored.storage.host_secrets import read

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root" / "deep").mkdir(parents=True)
    (tmp_path / "root" / "deep" / "secret").write_bytes(b"word")
    (tmp_path / "outside").write_bytes(b"other")
    return tmp_path / "root"


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_file_below_a_root_is_read(root: Path, slash: str) -> None:
    path = str(root / "deep" / "secret")
    assert read(path, [f"{root}{slash}"], 4) == b"word"
    assert read(path, ["/nowhere", str(root), str(root / "deep")], 4) == b"word"


def test_one_that_is_larger_is_refused_and_an_empty_one_is_not(root: Path) -> None:
    with pytest.raises(ValueError, match="larger than 3"):
        read(str(root / "deep" / "secret"), [str(root)], 3)
    (root / "empty").touch()
    assert read(str(root / "empty"), [str(root)], 0) == b""


def test_no_link_is_followed_below_a_root(root: Path) -> None:
    (root / "link").symlink_to("deep/secret")
    (root / "dir").symlink_to("deep")
    (root / "out").symlink_to(root.parent)
    for name in ("link", "dir/secret", "out/outside"):
        with pytest.raises(OSError, match=r"symbolic|Not a directory"):
            read(str(root / name), [str(root)], 10)


@pytest.mark.parametrize("roots", [[], ["/nowhere"]])
def test_what_lies_elsewhere_is_refused(root: Path, roots: list[str]) -> None:
    with pytest.raises(ValueError, match="none of the policy's"):
        read(str(root / "deep" / "secret"), roots, 10)


def test_what_is_no_regular_file_is_refused_at_once(root: Path) -> None:
    os.mkfifo(root / "fifo")
    (root / "directory").mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(root / "s"))
        for name in ("fifo", "directory", "s"):
            with pytest.raises((OSError, ValueError)):
                read(str(root / name), [str(root)], 10)


def test_what_is_not_there_is_told(root: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(str(root / "missing"), [str(root)], 10)
