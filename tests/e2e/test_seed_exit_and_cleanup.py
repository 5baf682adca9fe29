"""Exits and cleanups keep what they descend from: rows S34 to S50, each by its own test."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from typing import TYPE_CHECKING

import grpc.aio
import pytest

from moorage.v1 import container_pb2, container_service_pb2
from tests.outside import containerd as seen
from tests.outside import kernel, processes
from tests.real.agreement import settled_container
from tests.real.deadlines import eventually
from tests.real.specs import shell, sleeper
from tests.real.wire import Wire, refusal, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moorage.v1.container_service_pb2 import CleanupResponse
    from tests.real.moored import Moored
    from tests.real.runtime import GatedRuntime
    from tests.real.site import Site

pytestmark = pytest.mark.real

EXITED = container_pb2.CONTAINER_STATE_EXITED
RELEASED = container_service_pb2.RELEASE_OUTCOME_RELEASED
FAILED = container_service_pb2.RELEASE_OUTCOME_FAILED


async def test_s34_the_exit_of_a_failed_run_does_not_touch_the_next(
    wire: Wire, gate: GatedRuntime
) -> None:
    async with wire.created(sleeper(runtime="gated")) as container:
        with gate.failing("start"):  # the task was created: its end is an exit event too
            await refused(wire.start(container.id))
        second = (await wire.start(container.id)).container
        async with wire.running(shell("exit 0")) as later:
            await wire.wait(later.id)  # every event before this one's has been delivered
        now = await wire.inspect(container.id)
        assert (second.status.run, now.status.run) == (2, 2)
        assert now.status.state == container_pb2.CONTAINER_STATE_RUNNING
        assert now.status.pid == second.status.pid
        assert not now.status.HasField("exit")


async def test_s35_the_false_exit_of_a_killed_shim_does_not_replace_the_true_one(
    site: Site, wire: Wire, gate: GatedRuntime
) -> None:
    socket = site.containerd.address.socket
    async with wire.running(shell("exit 3", runtime="gated")) as container:
        with gate.holding("delete"):
            await gate.arrival()  # its exit is known, and its task about to be deleted
            os.kill(processes.shim_of(socket, f"{container.id}.1"), signal.SIGKILL)
        exited = await wire.wait(container.id)
        async with wire.running(shell("exit 0")) as later:
            await wire.wait(later.id)
        now = await wire.inspect(container.id)
        assert (exited.status.exit.code, now.status.exit.code) == (3, 3)
        assert now.status.exit.origin == container_pb2.EXIT_ORIGIN_PROCESS
        assert now.status.exit == exited.status.exit


async def test_a_shim_that_dies_under_a_running_container_is_not_an_exit_of_its_own(
    site: Site, wire: Wire
) -> None:
    socket = site.containerd.address.socket
    async with wire.running(sleeper()) as container:
        os.kill(processes.shim_of(socket, f"{container.id}.1"), signal.SIGKILL)
        exited = (await wire.wait(container.id)).status
        assert (exited.state, exited.exit.code) == (EXITED, 255)
        assert exited.exit.origin == container_pb2.EXIT_ORIGIN_RUNTIME
        assert not processes.is_alive(container.status.pid)


async def test_s41_cleanup_deletes_the_record_in_containerd(
    site: Site, moored: Moored, wire: Wire
) -> None:
    container = await wire.run(sleeper())
    run = f"{moored.instance} {container.id}.1"
    during = seen.containers(site.containerd.address, [moored.instance])
    answer = await wire.cleanup(container.id)
    assert run in during
    assert run not in seen.containers(site.containerd.address, [moored.instance])
    assert _outcome(answer, "container") == {RELEASED}


async def test_s44_cleanup_unmounts_the_root_filesystem(site: Site, wire: Wire) -> None:
    container = await wire.run(sleeper())
    during = kernel.mounts(site.directory)
    answer = await wire.cleanup(container.id)
    assert any(container.id in point for point in during)
    assert not any(container.id in point for point in kernel.mounts(site.directory))
    assert _outcome(answer, "layer") == {RELEASED}


async def test_s46_cleanup_takes_bundle_and_cgroups_too(
    site: Site, moored: Moored, wire: Wire
) -> None:
    container = await wire.run(sleeper())
    during = site.look()
    answer = await wire.cleanup(container.id)
    after = site.look()
    for kind in ("bundles", "cgroups", "files"):
        assert any(container.id in thing for thing in getattr(during, kind)), kind
        assert not any(container.id in thing for thing in getattr(after, kind)), kind
    kinds = {row.kind for row in answer.resources}
    assert {"streams", "task", "bundle", "cgroup", "files", "layer"} < kinds
    assert kernel.grouped_processes([moored.instance]) == {}


async def test_s50_a_release_that_fails_stops_no_other_and_is_retried(
    moored: Moored, wire: Wire
) -> None:
    container = await wire.run(sleeper(name="snagged"))
    with _snag(moored, f"{container.id}.1"):
        answer = await wire.cleanup(container.id)
        left = await wire.inspect(container.id)
        start = await refused(wire.start(container.id))
        again = await wire.cleanup(container.id)
        async with wire.created(sleeper(name="snagged")):
            pass  # the name is free all the same
        assert not answer.complete
        assert _outcome(answer, "files") == {FAILED}
        assert {row.kind for row in answer.resources if row.outcome == RELEASED} >= {
            *("task", "layer", "container", "output"),
        }
        assert all(row.reason for row in answer.resources if row.outcome == FAILED)
        assert [leftover.kind for leftover in left.status.leftovers] == ["files"]
        assert left.status.leftovers[0].reason
        assert start.reason in {"CONTAINER_STRANDED", "CONTAINER_REMOVING"}
        assert not again.complete
    await wire.wait(container.id, container_service_pb2.WAIT_CONDITION_REMOVED)


async def test_s50_what_failed_can_be_cleaned_up_by_hand(moored: Moored, wire: Wire) -> None:
    container = await wire.run(sleeper())
    with _snag(moored, f"{container.id}.1"):
        assert not (await wire.cleanup(container.id)).complete
    again = await _cleanup_or_gone(wire, container.id)  # the retry may have been faster
    assert again is None or again.complete
    assert (await refused(wire.inspect(container.id))).reason == "CONTAINER_NOT_FOUND"


async def test_s50_a_leftover_without_remove_strands_the_container_until_it_is_gone(
    moored: Moored, wire: Wire
) -> None:
    async with wire.running(sleeper()) as container:
        with _snag(moored, f"{container.id}.1"):
            answer = await wire.cleanup(container.id, remove=False)
            assert not answer.complete
            assert answer.container.status.state == container_pb2.CONTAINER_STATE_STRANDED
            start = await refused(wire.start(container.id))
            assert start.reason == "CONTAINER_STRANDED"
        rested = await settled_container(wire, container.id)
        assert rested is not None
        assert rested.status.state == EXITED
        assert (await wire.start(container.id)).container.status.run == 2


async def test_two_cleanups_at_once_both_succeed(wire: Wire) -> None:
    container = await wire.run(sleeper())
    answers = await asyncio.gather(*(_cleanup_or_gone(wire, container.id) for _ in range(4)))
    assert all(answer is None or answer.complete for answer in answers)
    assert sum(1 for answer in answers if answer and answer.resources) == 1


async def test_what_was_deleted_behind_our_back_is_already_gone(
    site: Site, moored: Moored, wire: Wire
) -> None:
    container = await wire.run(sleeper())
    address, run = site.containerd.address, f"{container.id}.1"
    seen.ctr(address, moored.instance, "tasks", "kill", "--signal", "SIGKILL", run)
    await wire.wait(container.id)

    def deleted() -> bool:
        return not seen.tasks(address, [moored.instance])

    await eventually(deleted, "the exited task is deleted")
    with contextlib.suppress(subprocess.CalledProcessError):
        seen.ctr(address, moored.instance, "containers", "delete", run)
    answer = await wire.cleanup(container.id)
    assert answer.complete


@contextlib.contextmanager
def _snag(moored: Moored, run: str) -> Iterator[None]:
    """A stranger's mount among the generated files of a run: they cannot be removed."""
    point = moored.state / "runs" / run / "snag"
    point.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", point], check=True, timeout=10)
    try:
        yield
    finally:
        subprocess.run(["umount", point], check=True, timeout=10)


async def _cleanup_or_gone(wire: Wire, container: str) -> CleanupResponse | None:
    try:
        return await wire.cleanup(container)
    except grpc.aio.AioRpcError as error:
        if refusal(error).reason != "CONTAINER_NOT_FOUND":
            raise
        return None


def _outcome(answer: CleanupResponse, kind: str) -> set[container_service_pb2.ReleaseOutcome]:
    return {row.outcome for row in answer.resources if row.kind == kind}
