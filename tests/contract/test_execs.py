"""Execs: processes beside a task's own, their FIFOs, and what each call says in each state."""

from __future__ import annotations

import asyncio
import os
from contextlib import contextmanager
from signal import SIGKILL
from typing import TYPE_CHECKING

from grpc import StatusCode

from moored.containerd_api import task_types_pb2, tasks_pb2
from tests.contract.subjects import refused
from tests.real.deadlines import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.contract.subjects import Subject

SLEEP = ("/bin/sleep", "100000")


@contextmanager
def reading(path: Path) -> Iterator[int]:
    """Hold the reading end of a FIFO, as whoever wants what comes through it must before."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        yield fd
    finally:
        os.close(fd)


def taken(fd: int) -> bytes | None:
    """Return what can be read now. Empty: the end. None: nothing yet."""
    try:
        return os.read(fd, 1 << 16)
    except BlockingIOError:
        return None


async def read_all(fd: int) -> bytes:
    found = bytearray()

    async def ended() -> bool:
        while piece := taken(fd):
            found.extend(piece)
        return piece == b""

    await eventually(ended, "the FIFO ends")
    return bytes(found)


async def test_exec_lives_from_its_preparation_to_its_deletion(subject: Subject) -> None:
    await subject.running("box")
    await subject.prepare_exec("box", "one", *SLEEP)
    pid = await subject.start_exec("box", "one")
    request = tasks_pb2.GetRequest(container_id="box", exec_id="one")
    process = (await subject.call(subject.tasks.Get, request)).process
    assert (process.id, process.pid) == ("one", pid)
    assert process.status == task_types_pb2.RUNNING
    waiting = asyncio.create_task(subject.wait_exec("box", "one"))
    await subject.kill_exec("box", "one")
    assert (await waiting).exit_status == 128 + SIGKILL
    deleted = await subject.delete_exec("box", "one")
    assert (deleted.pid, deleted.exit_status) == (pid, 128 + SIGKILL)
    assert (await refused(subject.wait_exec("box", "one"))).code is StatusCode.NOT_FOUND


async def test_exit_status_of_an_exec_is_its_own(subject: Subject) -> None:
    await subject.running("box")
    await subject.prepare_exec("box", "seven", "/bin/sh", "-c", "exit 7")
    await subject.start_exec("box", "seven")
    first = await subject.wait_exec("box", "seven")
    assert first.exit_status == 7
    assert await subject.wait_exec("box", "seven") == first
    assert (await subject.get("box")).status == task_types_pb2.RUNNING
    await subject.delete_exec("box", "seven")


async def test_output_of_an_exec_comes_through_its_fifo_to_its_end(subject: Subject) -> None:
    await subject.running("box")
    out, err = subject.fifo("says", "out"), subject.fifo("says", "err")
    with reading(out) as stdout, reading(err) as stderr:
        await subject.prepare_exec("box", "says", "/bin/echo", "hello", fifos=True)
        await subject.start_exec("box", "says")
        assert await read_all(stdout) == b"hello\n"
        assert await read_all(stderr) == b""
    await subject.wait_exec("box", "says")
    await subject.delete_exec("box", "says")


async def test_stdin_ends_when_the_shim_is_told_and_not_when_its_writer_goes(
    subject: Subject,
) -> None:
    await subject.running("box")
    out, err = subject.fifo("cat", "out"), subject.fifo("cat", "err")
    with reading(out) as stdout, reading(err):
        await subject.prepare_exec("box", "cat", "/bin/cat", fifos=True)
        await subject.start_exec("box", "cat")
        for word in (b"one ", b"two"):
            stdin = os.open(subject.fifo("cat", "in"), os.O_WRONLY | os.O_NONBLOCK)
            os.write(stdin, word)
            os.close(stdin)
        waiting = asyncio.create_task(subject.wait_exec("box", "cat"))
        await subject.get("box")
        assert not waiting.done()
        await subject.close_stdin("box", "cat")
        assert (await waiting).exit_status == 0
        assert await read_all(stdout) == b"one two"
    await subject.delete_exec("box", "cat")


async def test_a_program_that_is_not_there_fails_at_the_start_and_leaves_the_exec(
    subject: Subject,
) -> None:
    await subject.running("box")
    await subject.prepare_exec("box", "gone", "nope")
    refusal = await refused(subject.start_exec("box", "gone"))
    assert refusal.code is StatusCode.UNKNOWN
    assert 'exec: "nope": executable file not found in $PATH' in refusal.details
    refusal = await refused(subject.kill_exec("box", "gone"))
    assert refusal.code is StatusCode.FAILED_PRECONDITION
    await subject.delete_exec("box", "gone")


async def test_an_exec_id_is_taken_until_it_is_deleted(subject: Subject) -> None:
    await subject.running("box")
    await subject.prepare_exec("box", "twice", "/bin/true")
    refusal = await refused(subject.prepare_exec("box", "twice", "/bin/true"))
    assert refusal.code is StatusCode.ALREADY_EXISTS
    await subject.delete_exec("box", "twice")
    await subject.prepare_exec("box", "twice", "/bin/true")
    await subject.delete_exec("box", "twice")


async def test_every_call_on_no_exec_is_not_found(subject: Subject) -> None:
    await subject.running("box")
    calls = (
        subject.start_exec("box", "none"),
        subject.wait_exec("box", "none"),
        subject.kill_exec("box", "none"),
        subject.delete_exec("box", "none"),
        subject.close_stdin("box", "none"),
        subject.resize("box", "none", 80, 24),
    )
    for call in calls:
        refusal = await refused(call)
        why = "process does not exist none: not found"
        assert (refusal.code, refusal.details) == (StatusCode.NOT_FOUND, why)


async def test_a_living_exec_is_neither_started_nor_deleted(subject: Subject) -> None:
    await subject.running("box")
    await subject.prepare_exec("box", "busy", *SLEEP)
    await subject.start_exec("box", "busy")
    for call in (subject.start_exec, subject.delete_exec):
        refusal = await refused(call("box", "busy"))
        assert refusal.code is StatusCode.UNKNOWN
        assert "a running process" in refusal.details
    await subject.kill_exec("box", "busy")
    await subject.wait_exec("box", "busy")
    refusal = await refused(subject.kill_exec("box", "busy"))
    assert (refusal.code, refusal.details) == (
        StatusCode.NOT_FOUND,
        "process already finished: not found",
    )
    refusal = await refused(subject.start_exec("box", "busy"))
    assert "cannot start a stopped process" in refusal.details
    await subject.delete_exec("box", "busy")


async def test_a_paused_task_takes_no_exec_and_a_kill_waits_for_the_thaw(subject: Subject) -> None:
    await subject.running("box")
    await subject.prepare_exec("box", "cold", *SLEEP)
    await subject.start_exec("box", "cold")
    await subject.call(subject.tasks.Pause, tasks_pb2.PauseTaskRequest(container_id="box"))
    refusal = await refused(subject.prepare_exec("box", "late", "/bin/true"))
    assert refusal.code is StatusCode.UNKNOWN
    assert refusal.details.removesuffix(": unknown") == "cannot exec in a paused state"
    waiting = asyncio.create_task(subject.wait_exec("box", "cold"))
    await subject.kill_exec("box", "cold")
    assert not waiting.done()
    await subject.call(subject.tasks.Resume, tasks_pb2.ResumeTaskRequest(container_id="box"))
    assert (await waiting).exit_status == 128 + SIGKILL
    await subject.delete_exec("box", "cold")


async def test_an_exited_task_takes_no_exec(subject: Subject) -> None:
    await subject.running("box", ("/bin/true",))
    await subject.wait("box")
    refusal = await refused(subject.prepare_exec("box", "late", "/bin/true"))
    assert refusal.code is StatusCode.UNKNOWN
    assert refusal.details.removesuffix(": unknown") == "cannot exec in a stopped state"


async def test_execs_end_with_their_task_and_go_with_it(subject: Subject) -> None:
    await subject.running("box")
    await subject.prepare_exec("box", "beside", *SLEEP)
    await subject.start_exec("box", "beside")
    waiting = asyncio.create_task(subject.wait_exec("box", "beside"))
    await subject.kill("box")
    assert (await waiting).exit_status == 128 + SIGKILL
    await subject.wait("box")
    await subject.delete("box")
    assert (await refused(subject.wait_exec("box", "beside"))).code is StatusCode.NOT_FOUND


async def test_a_terminal_needs_no_stderr_and_can_be_resized(subject: Subject) -> None:
    await subject.running("box")
    with reading(subject.fifo("tty", "out")):
        await subject.prepare_exec("box", "tty", *SLEEP, fifos=True, terminal=True)
        await subject.start_exec("box", "tty")
        await subject.resize("box", "tty", 91, 33)
        await subject.kill_exec("box", "tty")
        await subject.wait_exec("box", "tty")
        await subject.delete_exec("box", "tty")
