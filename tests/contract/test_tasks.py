"""Tasks: from create to delete, and what each call says in each state."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import pytest
from google.protobuf import any_pb2
from grpc import StatusCode

from moored.containerd_api import (
    containers_pb2,
    runc_options_pb2,
    task_types_pb2,
    tasks_pb2,
    types_pb2,
)
from tests.contract.subjects import refused

if TYPE_CHECKING:
    from pathlib import Path

    from tests.contract.subjects import Subject

_YEAR_1 = -62135596800
CREATED, RUNNING = task_types_pb2.CREATED, task_types_pb2.RUNNING
STOPPED, PAUSED = task_types_pb2.STOPPED, task_types_pb2.PAUSED


async def test_task_lives_from_create_to_delete(subject: Subject) -> None:
    pid = await subject.task("life")
    created = await subject.get("life")
    assert (created.id, created.pid, created.status) == ("life", pid, CREATED)
    assert created.exited_at.seconds == _YEAR_1
    assert subject.bundle("life").is_dir()

    waiting = asyncio.create_task(subject.wait("life"))
    assert await subject.start("life") == pid
    assert (await subject.get("life")).status == RUNNING

    await subject.kill("life")
    exit_ = await waiting
    assert exit_.exit_status == 128 + signal.SIGKILL
    stopped = await subject.get("life")
    assert (stopped.status, stopped.exit_status) == (STOPPED, exit_.exit_status)
    assert stopped.exited_at == exit_.exited_at

    deleted = await subject.delete("life")
    assert (deleted.pid, deleted.exit_status) == (pid, exit_.exit_status)
    assert deleted.exited_at == exit_.exited_at
    assert not subject.bundle("life").exists()


@pytest.mark.parametrize(
    ("args", "status"),
    [(("/bin/true",), 0), (("/bin/false",), 1), (("/bin/sh", "-c", "exit 7"), 7)],
)
async def test_exit_status_is_the_process_s_own(
    subject: Subject, args: tuple[str, ...], status: int
) -> None:
    await subject.task("own", args)
    waiting = asyncio.create_task(subject.wait("own"))
    await subject.start("own")
    assert (await waiting).exit_status == status
    assert (await subject.delete("own")).exit_status == status


async def test_output_is_in_the_files_that_were_given(subject: Subject) -> None:
    await subject.running("says", ("/bin/echo", "hello", "there"))
    await subject.wait("says")
    await subject.delete("says")
    assert (subject.files / "says.out").read_text() == "hello there\n"
    assert (subject.files / "says.err").read_text() == ""


async def test_wait_on_an_exited_task_answers_at_once_until_it_is_deleted(
    subject: Subject,
) -> None:
    await subject.running("over", ("/bin/sh", "-c", "exit 3"))
    first = await subject.wait("over")
    assert await subject.wait("over") == first
    await subject.delete("over")
    assert (await refused(subject.wait("over"))).code is StatusCode.NOT_FOUND


async def test_task_needs_a_record(subject: Subject) -> None:
    request = subject.creation("unknown", [])
    refusal = await refused(subject.call(subject.tasks.Create, request))
    assert refusal.code is StatusCode.NOT_FOUND
    assert refusal.details.startswith("container ")


async def test_every_call_on_no_task_is_not_found(subject: Subject) -> None:
    await subject.record("bare")
    calls = (subject.get, subject.start, subject.wait, subject.kill, subject.delete)
    for call in calls:
        refusal = await refused(call("bare"))
        assert (refusal.code, refusal.details) == (StatusCode.NOT_FOUND, "task bare not found")


async def test_second_task_of_a_record_is_refused_until_the_first_is_deleted(
    subject: Subject,
) -> None:
    mounts = await subject.prepare("again")
    await subject.record("again", ("/bin/true",))
    request = subject.creation("again", mounts)
    await subject.call(subject.tasks.Create, request)
    assert (await refused(_create(subject, request))).code is StatusCode.ALREADY_EXISTS
    await subject.start("again")
    await subject.wait("again")
    assert (await refused(_create(subject, request))).code is StatusCode.ALREADY_EXISTS
    await subject.delete("again")
    await _create(subject, request)


async def test_output_files_must_exist(subject: Subject) -> None:
    mounts = await subject.prepare("mute")
    await subject.record("mute")
    request = subject.creation("mute", mounts)
    request.stdout = str(subject.files / "none")
    refusal = await refused(_create(subject, request))
    assert refusal.code is StatusCode.UNKNOWN
    assert "no such file or directory" in refusal.details
    assert not subject.bundle("mute").exists()


async def test_one_output_file_alone_is_refused(subject: Subject) -> None:
    mounts = await subject.prepare("half")
    await subject.record("half")
    request = subject.creation("half", mounts)
    request.stderr = ""
    assert (await refused(_create(subject, request))).code is StatusCode.UNKNOWN


async def test_no_output_files_at_all_are_fine(subject: Subject) -> None:
    mounts = await subject.prepare("null")
    await subject.record("null")
    request = subject.creation("null", mounts)
    request.stdout = request.stderr = ""
    await _create(subject, request)


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("/bin/none", {"no such file or directory"}),
        ("/etc", {"permission denied", "is a directory"}),
        ("none", {"executable file not found in $PATH"}),
    ],
)
async def test_program_that_cannot_run_fails_the_create(
    subject: Subject, program: str, why: set[str]
) -> None:
    refusal = await refused(subject.task("wrong", (program,)))
    assert refusal.code is StatusCode.UNKNOWN
    assert f'exec: "{program}"' in refusal.details
    assert any(words in refusal.details for words in why)
    assert not subject.bundle("wrong").exists()
    assert (await refused(subject.delete("wrong"))).code is StatusCode.NOT_FOUND


async def test_rootfs_that_cannot_be_mounted_fails_the_create(subject: Subject) -> None:
    await subject.record("loose")
    mount = types_pb2.Mount(
        type="overlay",
        source="overlay",
        options=["lowerdir=/none/a", "upperdir=/none/b", "workdir=/none/c"],
    )
    refusal = await refused(_create(subject, subject.creation("loose", [mount])))
    assert refusal.code is StatusCode.UNKNOWN
    assert "failed to mount rootfs component" in refusal.details


async def test_shim_that_is_not_there_fails_the_create(subject: Subject) -> None:
    mounts = await subject.prepare("shimless")
    wanted = subject.wanted("shimless")
    wanted.runtime.name = "io.containerd.none.v2"
    record = containers_pb2.CreateContainerRequest(container=wanted)
    await subject.call(subject.containers.Create, record)
    refusal = await refused(_create(subject, subject.creation("shimless", mounts)))
    assert refusal.code is StatusCode.UNKNOWN
    assert "failed to resolve runtime path" in refusal.details


async def test_runtime_that_is_not_there_fails_the_create(subject: Subject, tmp_path: Path) -> None:
    mounts = await subject.prepare("runcless")
    await subject.record("runcless")
    request = subject.creation("runcless", mounts)
    request.options.CopyFrom(_options(str(tmp_path / "none")))
    refusal = await refused(_create(subject, request))
    assert refusal.code is StatusCode.UNKNOWN
    assert "no such file or directory" in refusal.details


async def test_runtime_s_program_can_be_named(subject: Subject) -> None:
    mounts = await subject.prepare("named")
    await subject.record("named")
    request = subject.creation("named", mounts)
    request.options.CopyFrom(_options("runc"))
    await _create(subject, request)


async def test_what_a_task_cannot_do_in_its_state_is_unknown_with_a_reason(
    subject: Subject,
) -> None:
    await subject.task("states")
    await _refuses(subject, "states", "Pause")
    await subject.start("states")
    await _refuses(subject, "states", "Start", "Delete", "Resume")
    await subject.call(subject.tasks.Pause, tasks_pb2.PauseTaskRequest(container_id="states"))
    assert (await subject.get("states")).status == PAUSED
    await _refuses(subject, "states", "Start", "Delete", "Pause")
    await subject.call(subject.tasks.Resume, tasks_pb2.ResumeTaskRequest(container_id="states"))
    assert (await subject.get("states")).status == RUNNING
    await subject.kill("states")
    await subject.wait("states")
    await _refuses(subject, "states", "Start", "Pause", "Resume")


async def test_paused_task_can_be_killed(subject: Subject) -> None:
    await subject.running("frozen")
    await subject.call(subject.tasks.Pause, tasks_pb2.PauseTaskRequest(container_id="frozen"))
    await subject.kill("frozen")
    assert (await subject.wait("frozen")).exit_status == 137
    await subject.delete("frozen")


async def test_kill_after_the_exit_is_not_found(subject: Subject) -> None:
    await subject.running("finished", ("/bin/true",))
    await subject.wait("finished")
    refusal = await refused(subject.kill("finished"))
    assert refusal.code is StatusCode.NOT_FOUND
    assert refusal.details.startswith("process already finished")


async def test_created_task_can_be_killed(subject: Subject) -> None:
    await subject.task("unborn")
    waiting = asyncio.create_task(subject.wait("unborn"))
    await subject.kill("unborn")
    assert (await waiting).exit_status == 137
    assert (await subject.get("unborn")).status == STOPPED
    refusal = await refused(subject.start("unborn"))
    assert refusal.code is StatusCode.UNKNOWN
    await subject.delete("unborn")


async def test_delete_of_a_created_task_is_no_exit(subject: Subject) -> None:
    """It answers 0 and the year 1; whoever waits is told that the shim is gone."""
    await subject.task("dropped")
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(refused(subject.wait("dropped")))
        await subject.until_waiting("dropped")
        deleted = await subject.delete("dropped")
    assert (deleted.exit_status, deleted.exited_at.seconds) == (0, _YEAR_1)
    refusal = waiting.result()
    assert refusal.code is StatusCode.UNKNOWN
    assert "ttrpc: closed" in refusal.details


async def test_layer_can_be_removed_under_a_task(subject: Subject) -> None:
    await subject.running("bottomless")
    await subject.remove_layer("bottomless")
    assert (await subject.get("bottomless")).status == RUNNING


async def test_signal_0_asks_and_does_nothing(subject: Subject) -> None:
    await subject.running("asked")
    await subject.kill("asked", 0)
    assert (await subject.get("asked")).status == RUNNING


async def test_signal_that_does_not_exist_is_unknown(subject: Subject) -> None:
    await subject.running("odd")
    refusal = await refused(subject.kill("odd", 99))
    assert refusal.code is StatusCode.UNKNOWN
    assert "invalid argument" in refusal.details


async def _create(
    subject: Subject, request: tasks_pb2.CreateTaskRequest
) -> tasks_pb2.CreateTaskResponse:
    return await subject.call(subject.tasks.Create, request)


async def _refuses(subject: Subject, name: str, *methods: str) -> None:
    requests = {
        "Start": tasks_pb2.StartRequest(container_id=name),
        "Delete": tasks_pb2.DeleteTaskRequest(container_id=name),
        "Pause": tasks_pb2.PauseTaskRequest(container_id=name),
        "Resume": tasks_pb2.ResumeTaskRequest(container_id=name),
    }
    for method in methods:
        refusal = await refused(subject.call(getattr(subject.tasks, method), requests[method]))
        assert refusal.code is StatusCode.UNKNOWN, method
        assert "cannot" in refusal.details, method


def _options(binary: str) -> any_pb2.Any:
    options = runc_options_pb2.Options(binary_name=binary)
    name = "containerd.runc.v1.Options"
    return any_pb2.Any(type_url=name, value=options.SerializeToString())
