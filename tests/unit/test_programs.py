"""The law: what certainly cannot be executed is told from the root filesystem, as a shell would."""

from __future__ import annotations

import os
import stat

import pytest

from moored import errors
from moored.oci.programs import refuse_unless_executable

_FILE, _PROGRAM, _DIRECTORY, _LINK = (
    stat.S_IFREG | 0o644,
    stat.S_IFREG | 0o755,
    stat.S_IFDIR | 0o755,
    stat.S_IFLNK | 0o777,
)
_THERE: dict[str, tuple[int, bytes]] = {
    "/bin": (_DIRECTORY, b""),
    "/bin/sh": (_PROGRAM, b"\x7fELF"),
    "/bin/script": (_PROGRAM, b"#!/bin/sh -e\n"),
    "/bin/lost": (_PROGRAM, b"#! /opt/python\n"),
    "/bin/chain": (_PROGRAM, b"#!/bin/lost\n"),
    "/bin/self": (_PROGRAM, b"#!/bin/self\n"),
    "/bin/odd": (_PROGRAM, b"#!/etc/passwd\n"),
    "/bin/empty": (_PROGRAM, b""),
    "/bin/blank": (_PROGRAM, b"#!\n"),
    "/bin/dangling": (_LINK, b""),
    "/bin/procs": (_PROGRAM, b"#!/proc/self/exe\n"),
    "/etc/passwd": (_FILE, b"root"),
    "/sbin/tool": (_FILE, b""),
    "/srv/run": (_PROGRAM, b""),
}
_PATH = "/none:/bin:/sbin"


class _Sight:
    def stat(self, path: str) -> os.stat_result | None:
        mode, _ = _THERE.get(os.path.normpath(path), (0, b""))
        return os.stat_result((mode, *[0] * 9)) if mode and not stat.S_ISLNK(mode) else None

    def is_link(self, path: str) -> bool:
        return stat.S_ISLNK(_THERE.get(os.path.normpath(path), (0, b""))[0])

    def read(self, path: str, limit: int) -> bytes:
        return _THERE[os.path.normpath(path)][1][:limit]


def _refuse(program: str, directory: str = "/") -> None:
    refuse_unless_executable(program, _PATH, directory, _Sight())


@pytest.mark.parametrize(
    "program", ["sh", "/bin/sh", "script", "/bin/script", "self", "empty", "blank", "bin/sh"]
)
def test_what_may_be_executed_passes(program: str) -> None:
    _refuse(program)


@pytest.mark.parametrize("program", ["/bin/dangling", "/proc/self/exe", "/dev/x", "procs"])
def test_what_only_a_container_has_is_left_to_the_runtime(program: str) -> None:
    _refuse(program)


def test_a_path_is_relative_to_the_working_directory() -> None:
    _refuse("./run", "/srv")
    with pytest.raises(errors.CommandNotFound, match=r"'\./run': no such file"):
        _refuse("./run")


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("/no/such", "no such file"),
        ("nothing", "not found in the container's PATH"),
        ("lost", "its interpreter '/opt/python' does not exist"),
        ("chain", "its interpreter '/opt/python' does not exist"),
    ],
)
def test_what_is_not_there_is_not_found(program: str, why: str) -> None:
    with pytest.raises(errors.CommandNotFound, match=why):
        _refuse(program)


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("/bin", "is a directory"),
        ("/etc/passwd", "permission denied"),
        ("tool", "permission denied"),
        ("odd", "its interpreter '/etc/passwd' cannot be executed"),
    ],
)
def test_what_is_no_program_cannot_be_executed(program: str, why: str) -> None:
    with pytest.raises(errors.CommandNotExecutable, match=why):
        _refuse(program)
