"""What is true when containerd, or a shim, was away: killed, stopped, come back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from grpc import StatusCode

from moored.containerd_api import task_types_pb2, tasks_pb2
from tests.contract.subjects import refused
from tests.real.deadlines import eventually

if TYPE_CHECKING:
    from tests.contract.subjects import Subject


async def test_wait_ends_when_containerd_goes_and_the_task_does_not(subject: Subject) -> None:
    pid = await subject.running("survivor")
    waiting = asyncio.create_task(refused(subject.wait("survivor")))
    await subject.until_waiting("survivor")
    await subject.go_down()
    assert (await waiting).code is StatusCode.UNAVAILABLE
    await subject.come_back()
    found = await subject.get("survivor")
    assert (found.pid, found.status) == (pid, task_types_pb2.RUNNING)


async def test_exit_while_containerd_was_away_is_kept_until_1_7(subject: Subject) -> None:
    """Later ones end a shim whose process has ended, when they come back, and its exit with it."""
    pid = await subject.running("unseen")
    await subject.go_down()
    await subject.kill_process("unseen", pid)
    await subject.come_back()
    if subject.series >= (1, 7):
        for call in (subject.wait, subject.get, subject.delete):
            assert (await refused(call("unseen"))).code is StatusCode.NOT_FOUND
        return
    assert (await subject.wait("unseen")).exit_status == 137
    found = await subject.get("unseen")
    assert (found.status, found.exit_status) == (task_types_pb2.STOPPED, 137)
    assert (await subject.delete("unseen")).exit_status == 137


async def test_killed_in_mid_create_leaves_what_only_delete_removes(subject: Subject) -> None:
    """It is there for Create, and for nobody else; Delete says so too, and removes it.

    From 1.7 on, containerd removes it by itself when it comes back.
    """
    mounts = await subject.prepare("halved")
    await subject.record("halved")
    request = subject.creation("halved", mounts)
    await subject.break_mid_create(request)

    if subject.series >= (1, 7):
        gone = subject.bundle("halved")
        await eventually(lambda: not gone.exists(), "containerd sweeps up")
        assert (await refused(subject.delete("halved"))).code is StatusCode.NOT_FOUND
        await subject.call(subject.tasks.Create, request)
        return
    assert subject.bundle("halved").is_dir()
    for call in (subject.get, subject.wait, subject.kill, subject.start):
        assert (await refused(call("halved"))).code is StatusCode.NOT_FOUND
    listed = await subject.call(subject.tasks.List, tasks_pb2.ListTasksRequest())
    assert not listed.tasks
    again = await refused(subject.call(subject.tasks.Create, request))
    assert again.code is StatusCode.ALREADY_EXISTS

    assert (await refused(subject.delete("halved"))).code is StatusCode.NOT_FOUND
    assert not subject.bundle("halved").exists()
    await subject.call(subject.tasks.Create, request)


async def test_bundle_that_containerd_forgot_blocks_its_name(subject: Subject) -> None:
    """Neither Get nor Delete know of it, and Create does not say that it exists."""
    mounts = await subject.prepare("stale")
    await subject.record("stale")
    subject.bundle("stale").mkdir(parents=True)
    request = subject.creation("stale", mounts)
    refusal = await refused(subject.call(subject.tasks.Create, request))
    assert refusal.code is StatusCode.UNKNOWN
    assert "file exists" in refusal.details
    assert (await refused(subject.delete("stale"))).code is StatusCode.NOT_FOUND
    subject.bundle("stale").rmdir()
    await subject.call(subject.tasks.Create, request)


async def test_death_of_a_shim_is_no_exit(subject: Subject) -> None:
    """Whoever waits hears of a closed connection, and the task is gone soon after."""
    pid = await subject.running("shimless")
    waiting = asyncio.create_task(refused(subject.wait("shimless")))
    await subject.until_waiting("shimless")
    await subject.kill_shim("shimless", pid)
    refusal = await waiting
    assert refusal.code is StatusCode.UNKNOWN
    assert "ttrpc: closed" in refusal.details
    await eventually(lambda: not subject.bundle("shimless").exists(), "containerd sweeps up")

    async def forgotten() -> bool:
        refusals = [await refused(ask("shimless")) for ask in (subject.get, subject.delete)]
        return {each.code for each in refusals} == {StatusCode.NOT_FOUND}

    await eventually(forgotten, "containerd has forgotten the task")
