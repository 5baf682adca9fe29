"""The law: a process is known by more than its pid, and a zombie is not alive."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from moored.oci import processes

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"]) as child:
        try:
            yield child
        finally:
            child.kill()


def _identity(child: subprocess.Popen[bytes]) -> processes.ProcessIdentity:
    identity = processes.identity(child.pid)
    assert identity is not None
    return identity


def test_a_running_process_is_alive(child: subprocess.Popen[bytes]) -> None:
    assert processes.is_alive(_identity(child))


def test_a_zombie_is_nobody(child: subprocess.Popen[bytes]) -> None:
    identity = _identity(child)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not processes.is_alive(identity)
    assert processes.identity(child.pid) is None


def test_a_reaped_process_is_nobody(child: subprocess.Popen[bytes]) -> None:
    identity = _identity(child)
    child.kill()
    child.wait()
    assert not processes.is_alive(identity)


def test_the_same_pid_begun_at_another_time_is_another_process(
    child: subprocess.Popen[bytes],
) -> None:
    identity = _identity(child)
    assert not processes.is_alive(replace(identity, start_ticks=identity.start_ticks - 1))
    assert not processes.is_alive(replace(identity, boot_id="of another boot"))


def test_a_name_full_of_brackets_does_not_confuse(tmp_path: os.PathLike[str]) -> None:
    program = os.path.join(tmp_path, "a) Z 1 (b")
    os.symlink("/bin/sleep", program)
    with subprocess.Popen([program, "60"]) as child:
        try:
            identity = processes.identity(child.pid)
        finally:
            child.kill()
    assert identity is not None
    assert identity.pid == child.pid


async def test_the_end_of_a_process_is_noticed(child: subprocess.Popen[bytes]) -> None:
    identity = _identity(child)
    child.kill()
    assert await processes.wait_gone(identity, within=10)


async def test_waiting_for_a_process_ends_with_its_time(child: subprocess.Popen[bytes]) -> None:
    assert not await processes.wait_gone(_identity(child), within=0.01)


async def test_a_process_that_is_gone_already_is_not_waited_for(
    child: subprocess.Popen[bytes],
) -> None:
    identity = _identity(child)
    child.kill()
    child.wait()
    assert await processes.wait_gone(identity, within=10)


async def test_the_heir_of_a_pid_is_not_waited_for(child: subprocess.Popen[bytes]) -> None:
    identity = _identity(child)
    assert await processes.wait_gone(replace(identity, start_ticks=1), within=10)


def test_one_that_runs_is_not_ending_and_one_that_has_exited_is(
    child: subprocess.Popen[bytes],
) -> None:
    assert not processes.is_ending(child.pid)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert processes.is_ending(child.pid)
    child.wait()
    assert processes.is_ending(child.pid)
