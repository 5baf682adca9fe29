"""The command ``moorage``: exit codes mean something, output passes, errors are one line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.real.command import Command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.real.moored import Moored

pytestmark = pytest.mark.real

SHELL = ("busybox", "/bin/sh", "-c")
OBEYS = "trap 'echo bye; exit 7' TERM; echo ready; sleep 100000 & wait"


@pytest.fixture
def moorage(moored: Moored) -> Command:
    return Command(moored.address)


@pytest.fixture
def running(moorage: Command) -> Iterator[str]:
    """The id of a container that stays."""
    ended = moorage("run", "--detach", "busybox", "/bin/sleep", "100000")
    assert ended.code == 0, ended.err
    yield ended.out.strip()
    moorage("cleanup", "--force", "--remove", ended.out.strip())


@pytest.mark.parametrize("code", [0, 3, 125, 255])
def test_run_passes_output_through_and_ends_with_the_containers_code(
    moorage: Command, code: int
) -> None:
    ended = moorage("run", "--rm", *SHELL, f"echo out; echo err >&2; exit {code}")
    assert (ended.code, ended.out) == (code, "out\n")
    assert "err\n" in ended.err


def test_run_of_what_cannot_be_run_ends_as_a_shell_does(moorage: Command) -> None:
    missing = moorage("run", "--rm", "busybox", "/no/such/program")
    barred = moorage("run", "--rm", "busybox", "/etc/passwd")
    unknown = moorage("run", "--rm", "no/such:image")
    assert (missing.code, barred.code, unknown.code) == (127, 126, 125)
    assert "COMMAND_NOT_FOUND" in missing.err
    assert "COMMAND_NOT_EXECUTABLE" in barred.err
    assert "IMAGE_NOT_FOUND" in unknown.err
    for ended in (missing, barred, unknown):
        assert ended.out == ""
        assert "Traceback" not in ended.err


def test_an_error_is_one_line_with_reason_and_step(moorage: Command) -> None:
    ended = moorage("run", "--rm", "busybox", "/no/such/program")
    line = ended.err.strip()
    assert len(line.splitlines()) == 1
    assert "(COMMAND_NOT_FOUND, step spec)" in line
    assert "/no/such/program" in line


async def test_ctrl_c_stops_the_container_and_shows_its_last_words(moorage: Command) -> None:
    ended = await moorage.interrupted("ready", "run", "--rm", *SHELL, OBEYS)
    assert (ended.code, ended.out) == (7, "ready\nbye\n")


def test_a_container_from_create_to_removal(moorage: Command) -> None:
    created = moorage("create", "--name", "stepwise", *SHELL, "echo said; exit 4")
    started = moorage("start", "stepwise")
    waited = moorage("wait", "stepwise")
    by_code = moorage("wait", "--exit-code", "stepwise")
    logs = moorage("logs", "stepwise")
    inspected = moorage("inspect", "stepwise")
    listed = moorage("ps")
    cleaned = moorage("cleanup", "--remove", "stepwise")
    gone = moorage("inspect", "stepwise")
    assert [created.code, started.code, waited.code, by_code.code] == [0, 0, 0, 4]
    assert started.out == created.out
    assert waited.out == "4\n"
    assert logs.out == "said\n"
    assert "task" in inspected.out, "the steps of the start"
    assert "ms" in inspected.out, "and how long each took"
    assert "stepwise" in listed.out
    assert cleaned.code == 0
    assert "layer" in cleaned.out
    assert gone.code == 3
    assert "CONTAINER_NOT_FOUND" in gone.err


def test_json_is_what_the_server_answered(moorage: Command, running: str) -> None:
    inspected = json.dumps(moorage("inspect", "--json", running).answer)
    listed = json.dumps(moorage("ps", "--json").answer)
    informed = json.dumps(moorage("info", "--json").answer)
    images = json.dumps(moorage("images", "ls", "--json").answer)
    assert running in inspected
    assert "CONTAINER_STATE_RUNNING" in inspected
    assert running in listed
    assert "ContainerService" in informed
    assert "docker.io/library/busybox:latest" in images


def test_stop_and_cleanup_take_several(moorage: Command, running: str) -> None:
    other = moorage("run", "-d", "busybox", "/bin/sleep", "100000").out.strip()
    stopped = moorage("stop", "--time", "100ms", running, other)
    cleaned = moorage("cleanup", "--remove", running, other)
    assert (stopped.code, cleaned.code) == (0, 0)
    assert moorage("ps", "--quiet").out == ""


def test_cleanup_of_what_runs_is_refused_without_force(moorage: Command, running: str) -> None:
    ended = moorage("cleanup", running)
    assert ended.code == 1
    assert "CONTAINER_RUNNING" in ended.err


def test_an_image_comes_from_a_file_or_a_pipe(moorage: Command, archive: Path) -> None:
    by_file = moorage("images", "import", "--name", "filed:1", str(archive))
    by_pipe = moorage("images", "import", "--name", "piped:1", "-", stdin=archive.read_bytes())
    listed = moorage("images", "ls")
    removed = moorage("images", "rm", "filed:1")
    moorage("images", "rm", "piped:1")
    again = moorage("images", "rm", "filed:1")
    assert [by_file.code, by_pipe.code, removed.code, again.code] == [0, 0, 0, 3]
    assert "docker.io/library/filed:1" in listed.out
    assert "docker.io/library/piped:1" in listed.out


def test_where_nobody_listens_it_says_so_and_where_it_looked(tmp_path: Path) -> None:
    ended = Command(f"unix://{tmp_path}/nobody.sock")("--timeout", "2s", "ps")
    assert ended.code == 4
    assert "nobody.sock" in ended.err
    assert len(ended.err.strip().splitlines()) == 1


def test_wrong_usage_is_told_apart(moorage: Command) -> None:
    assert moorage("no-such-command").code == 2
    assert moorage("run").code == 2
    assert moorage("run", "--no-such-option", "busybox").code == 2
