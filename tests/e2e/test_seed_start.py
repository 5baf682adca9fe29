"""The start verb keeps what it descends from: rows S1 to S33, each by its own test."""

from __future__ import annotations

import asyncio
import base64
import json
import sqlite3
from typing import TYPE_CHECKING

import grpc
import pytest

from moorage.v1 import container_pb2, container_service_pb2
from tests.outside import containerd as seen
from tests.outside import processes
from tests.real.archives import docker_archive
from tests.real.deadlines import eventually
from tests.real.specs import OBEYS, shell, sleeper
from tests.real.wire import CALL_WITHIN, Refusal, Wire, refused

if TYPE_CHECKING:
    from pathlib import Path

    from moorage.v1.container_pb2 import Container
    from tests.real.moored import Moored
    from tests.real.runtime import GatedRuntime
    from tests.real.site import Site

pytestmark = pytest.mark.real

PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
INVALID = grpc.StatusCode.INVALID_ARGUMENT
EXITED = container_pb2.CONTAINER_STATE_EXITED
RUNNING = container_pb2.CONTAINER_STATE_RUNNING
START_FAILURE = container_pb2.EXIT_ORIGIN_START_FAILURE


async def test_s1_reference_by_id_prefix_or_name(wire: Wire) -> None:
    # One more than there are hexadecimal digits: two of them share the first one.
    containers = [await wire.create(sleeper()) for _ in range(17)]
    by_digit: dict[str, list[Container]] = {}
    for container in containers:
        by_digit.setdefault(container.id[0], []).append(container)
    digit, crowd = max(by_digit.items(), key=lambda item: len(item[1]))
    one = containers[0]
    named = await wire.create(sleeper(name=one.id[:12]))
    try:
        assert (await wire.inspect(one.id)).id == one.id
        assert (await wire.inspect(one.id[:16])).id == one.id
        assert (await wire.inspect(one.id[:12])).id == named.id, "a name goes before a prefix"
        ambiguous = await refused(wire.inspect(digit))
        assert (ambiguous.code, ambiguous.reason) == (INVALID, "AMBIGUOUS_REFERENCE")
        assert all(container.id in ambiguous.metadata["candidates"] for container in crowd)
        unknown = await refused(wire.inspect("nobody"))
        assert (unknown.code, unknown.reason) == (
            grpc.StatusCode.NOT_FOUND,
            "CONTAINER_NOT_FOUND",
        )
    finally:
        for container in (*containers, named):
            await wire.remove(container.id)


async def test_s2_paused_is_refused_and_says_resume(site: Site, moored: Moored, wire: Wire) -> None:
    paused = container_pb2.CONTAINER_STATE_PAUSED
    async with wire.running(sleeper()) as container:
        run = f"{container.id}.1"
        seen.ctr(site.containerd.address, moored.instance, "tasks", "pause", run)
        await _until_state(wire, container, paused)
        start = await refused(wire.start(container.id))
        stop = await refused(wire.stop(container.id))
        assert (start.code, start.reason) == (PRECONDITION, "CONTAINER_PAUSED")
        assert (stop.code, stop.reason) == (PRECONDITION, "CONTAINER_PAUSED")
        seen.ctr(site.containerd.address, moored.instance, "tasks", "resume", run)
        await _until_state(wire, container, RUNNING)


async def test_s2_a_paused_container_can_be_cleaned_up(
    site: Site, moored: Moored, wire: Wire
) -> None:
    async with wire.running(sleeper()) as container:
        run = f"{container.id}.1"
        seen.ctr(site.containerd.address, moored.instance, "tasks", "pause", run)
        assert (await wire.cleanup(container.id)).complete


async def test_s3_starting_what_runs_is_ok_and_changes_nothing(wire: Wire) -> None:
    async with wire.running(sleeper()) as container:
        answer = await wire.start(container.id)
        assert answer.already_running
        assert answer.container == await wire.inspect(container.id)
        assert answer.container.status.pid == container.status.pid
        assert answer.container.status.run == 1


async def test_s4_what_is_being_removed_cannot_be_started(wire: Wire, gate: GatedRuntime) -> None:
    container = await wire.run(sleeper(runtime="gated"))
    with gate.holding("delete"):
        cleaning = asyncio.create_task(wire.cleanup(container.id))
        await gate.arrival()
        starting = asyncio.create_task(refused(wire.start(container.id)))
        assert (await wire.inspect(container.id)).id == container.id
    # It may have waited for its turn until the container was gone.
    assert (await starting).reason in {"CONTAINER_REMOVING", "CONTAINER_NOT_FOUND"}
    assert (await cleaning).complete


async def test_s5_checkpoints_are_not_enabled(wire: Wire) -> None:
    async with wire.created(sleeper()) as container:
        for checkpoint in ("before", "../../etc", "a/b", "-", "x" * 5000):
            refusal = await _start_from(wire, container, checkpoint=checkpoint)
            assert refusal.code is INVALID
        assert (await _start_from(wire, container, checkpoint="before")).reason == (
            "CHECKPOINT_NOT_ENABLED"
        )
        assert (await wire.inspect(container.id)) == container


async def test_s6_a_checkpoint_directory_is_forbidden(wire: Wire) -> None:
    async with wire.created(sleeper()) as container:
        for checkpoint in ("", "before"):
            refusal = await _start_from(
                wire, container, checkpoint=checkpoint, checkpoint_directory="/etc"
            )
            assert refusal.code is grpc.StatusCode.PERMISSION_DENIED
            assert refusal.reason == "CHECKPOINT_DIRECTORY_FORBIDDEN"


async def test_s8_of_two_starts_at_once_one_starts_and_both_succeed(wire: Wire) -> None:
    async with wire.created(sleeper()) as container:
        answers = await asyncio.gather(*(wire.start(container.id) for _ in range(5)))
        assert {answer.container.status.run for answer in answers} == {1}
        assert len({answer.container.status.pid for answer in answers}) == 1
        assert [answer.already_running for answer in answers].count(False) >= 1


async def test_s8_a_start_that_hangs_holds_its_container_and_no_other(
    wire: Wire, gate: GatedRuntime
) -> None:
    async with wire.created(sleeper(runtime="gated")) as held:
        with gate.holding("create"):
            starting = asyncio.create_task(wire.start(held.id))
            await gate.arrival()
            looked_at = await wire.inspect(held.id)
            joined = asyncio.create_task(wire.start(held.id))
            async with wire.running(sleeper()) as other:
                assert other.status.state == RUNNING
            assert not starting.done()
            assert not joined.done()
        assert looked_at.status.state == container_pb2.CONTAINER_STATE_STARTING
        assert (looked_at.status.stage.verb, looked_at.status.stage.step) == ("start", "task")
        first, second = await starting, await joined
        assert first.container.status.pid == second.container.status.pid != 0


async def test_s8_a_cleanup_preempts_a_start_and_leaves_nothing(
    wire: Wire, gate: GatedRuntime
) -> None:
    container = await wire.create(sleeper(runtime="gated"))
    with gate.holding("create"):
        starting = asyncio.create_task(refused(wire.start(container.id)))
        await gate.arrival()
        cleaning = asyncio.create_task(wire.cleanup(container.id))
        for _ in range(3):  # calls of one connection arrive in order: the cleanup has begun
            await wire.inspect(container.id)
    refusal = await starting
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.ABORTED, "PREEMPTED_BY_CLEANUP")
    assert (await cleaning).complete
    assert (await refused(wire.inspect(container.id))).reason == "CONTAINER_NOT_FOUND"


async def test_s11_a_failed_start_keeps_its_error_and_exits_with_128(
    wire: Wire, gate: GatedRuntime
) -> None:
    async with wire.created(shell("exit 3", runtime="gated")) as container:
        await wire.start(container.id)
        await wire.wait(container.id)
        with gate.failing("create"):
            refusal = await refused(wire.start(container.id))
        failed = (await wire.inspect(container.id)).status
        assert (refusal.code, refusal.reason) == (
            grpc.StatusCode.INTERNAL,
            "RUNTIME_REFUSED",
        )
        assert refusal.metadata["step"] == "task"
        assert "told to fail" in refusal.message
        assert failed.state == EXITED
        assert (failed.exit.code, failed.exit.origin) == (128, START_FAILURE)
        assert (failed.error.reason, failed.error.step) == ("RUNTIME_REFUSED", "task")
        assert failed.error.message == refusal.message
        assert failed.run == 2
        await wire.start(container.id)
        succeeded = (await wire.wait(container.id)).status
        assert not succeeded.HasField("error")
        assert (succeeded.exit.code, succeeded.run) == (3, 3)


async def test_s11_a_failed_start_shows_which_step_failed(wire: Wire, gate: GatedRuntime) -> None:
    async with wire.created(sleeper(runtime="gated")) as container:
        with gate.failing("create"):
            await refused(wire.start(container.id))
        steps = (await wire.inspect(container.id)).status.last_start.steps
        outcomes = {step.name: step.outcome for step in steps}
        assert outcomes["task"] == container_pb2.STEP_OUTCOME_FAILED
        assert outcomes["container"] == container_pb2.STEP_OUTCOME_DONE
        assert {"task.undo", "container.undo", "rootfs.undo"} <= set(outcomes)
        assert "run" not in outcomes


async def test_s12_a_start_goes_on_when_its_caller_goes_away(
    wire: Wire, gate: GatedRuntime
) -> None:
    async with wire.created(sleeper(runtime="gated")) as container:
        with gate.holding("create"):
            await _start_and_go_away(wire, gate, container)
        await wire.wait(container.id, container_service_pb2.WAIT_CONDITION_RUNNING)
        status = (await wire.inspect(container.id)).status
        assert status.state == RUNNING
        assert processes.is_alive(status.pid)


async def test_s12_a_failure_is_saved_even_if_the_caller_has_gone(
    wire: Wire, gate: GatedRuntime
) -> None:
    async with wire.created(sleeper(runtime="gated")) as container:
        with gate.failing("create"), gate.holding("create"):
            await _start_and_go_away(wire, gate, container)
            gate.let_go()
            await wire.wait(container.id)
        status = (await wire.inspect(container.id)).status
        assert (status.state, status.error.step) == (EXITED, "task")
        assert status.exit.origin == START_FAILURE


@pytest.mark.parametrize("verb", ["create", "start"])
async def test_s13_s26_a_start_that_fails_leaves_nothing_but_the_record(
    site: Site, wire: Wire, gate: GatedRuntime, verb: str
) -> None:
    async with wire.created(sleeper(runtime="gated")) as container:
        before = site.look()
        with gate.failing(verb):
            refusal = await refused(wire.start(container.id))
        assert refusal.metadata["step"] == {"create": "task", "start": "run"}[verb]
        assert site.changes_since(before) == []
        status = (await wire.inspect(container.id)).status
        assert (status.state, list(status.leftovers)) == (EXITED, [])


async def test_s14_a_start_that_fails_takes_an_auto_remove_container_with_it(
    wire: Wire, gate: GatedRuntime
) -> None:
    container = await wire.create(sleeper(runtime="gated", auto_remove=True))
    with gate.failing("create"):
        refusal = await refused(wire.start(container.id))
    assert refusal.reason == "RUNTIME_REFUSED"
    assert (await refused(wire.inspect(container.id))).reason == "CONTAINER_NOT_FOUND"


async def test_s22_the_runtime_is_chosen_by_name(site: Site, moored: Moored, wire: Wire) -> None:
    async with wire.running(sleeper(runtime="gated")) as container:
        run = f"{container.id}.1"
        told = seen.ctr(site.containerd.address, moored.instance, "containers", "info", run)
        options = json.loads(told)["Runtime"]["Options"]["value"]
        assert str(site.gate.binary).encode() in base64.b64decode(options)


async def test_s22_an_unknown_runtime_is_refused_by_name(wire: Wire) -> None:
    refusal = await refused(wire.create(sleeper(runtime="no-such")))
    assert (refusal.code, refusal.reason) == (INVALID, "RUNTIME_UNKNOWN")
    assert refusal.fields == ("spec.runtime",)


async def test_s22_an_unset_runtime_is_the_default_of_the_day_it_was_created(
    site: Site,
) -> None:
    daemon = site.start_moored({"runtime": "gated"})
    async with Wire(daemon.address) as wire, wire.created(shell("exit 0")) as container:
        daemon.stop()
        other = site.moored({"runtime": "runc"}, instance=daemon.instance)
        other.start()
        with site.gate.failing("create"):
            refusal = await refused(wire.start(container.id))
        assert "told to fail" in refusal.message
        assert (await wire.server()).runtimes[0].name == "runc"
    other.stop()


@pytest.mark.parametrize(
    ("command", "reason", "code"),
    [
        (["/no/such/program"], "COMMAND_NOT_FOUND", 127),
        (["no-such-program"], "COMMAND_NOT_FOUND", 127),
        (["/etc/passwd"], "COMMAND_NOT_EXECUTABLE", 126),
        (["/bin"], "COMMAND_NOT_EXECUTABLE", 126),
        (["passwd.txt"], "COMMAND_NOT_FOUND", 127),
    ],
)
async def test_s25_what_cannot_be_run_sets_the_exit_code_of_a_shell(
    wire: Wire, command: list[str], reason: str, code: int
) -> None:
    spec = container_pb2.ContainerSpec(image="busybox", command=command)
    async with wire.created(spec) as container:
        refusal = await refused(wire.start(container.id))
        status = (await wire.inspect(container.id)).status
        assert (refusal.code, refusal.reason) == (PRECONDITION, reason)
        assert command[0] in refusal.message
        assert (status.state, status.exit.code) == (EXITED, code)
        assert status.exit.origin == START_FAILURE
        assert not status.error.retriable


async def test_s25_a_mount_that_does_not_fit_is_told_as_such(
    moored: Moored, wire: Wire, tmp_path: Path
) -> None:
    name = "docker.io/library/misfit:latest"
    layer = {"program": b"no script", "etc": None, "etc/hosts": None}
    moored.import_image(docker_archive(tmp_path / "misfit.tar", name, layer))
    async with wire.created(container_pb2.ContainerSpec(image="misfit")) as container:
        refusal = await refused(wire.start(container.id))
        status = (await wire.inspect(container.id)).status
        assert (refusal.code, refusal.reason) == (PRECONDITION, "MOUNT_MISMATCH")
        assert (status.exit.code, status.exit.origin) == (128, START_FAILURE)


async def test_s33_a_start_is_an_event_and_its_duration_is_known(
    moored: Moored, wire: Wire
) -> None:
    async with wire.running(shell(OBEYS)) as container:
        assert container.status.last_start.duration.ToNanoseconds() > 0
        with sqlite3.connect(f"file:{moored.root}/ledger.db?mode=ro", uri=True) as ledger:
            rows = ledger.execute(
                "SELECT revision FROM events WHERE container = ? ORDER BY revision",
                (container.id,),
            ).fetchall()
        ledger.close()
        assert len(rows) >= 2
        assert rows[-1][0] == container.revision


async def _start_from(
    wire: Wire, container: Container, *, checkpoint: str, checkpoint_directory: str = ""
) -> Refusal:
    request = container_service_pb2.StartRequest(
        container=container.id,
        checkpoint=checkpoint,
        checkpoint_directory=checkpoint_directory,
    )
    return await refused(wire.containers.Start(request, timeout=CALL_WITHIN))


async def _start_and_go_away(wire: Wire, gate: GatedRuntime, container: Container) -> None:
    request = container_service_pb2.StartRequest(container=container.id)
    call = wire.containers.Start(request, timeout=CALL_WITHIN)
    await gate.arrival()
    call.cancel()
    assert await call.code() is grpc.StatusCode.CANCELLED


async def _until_state(
    wire: Wire, container: Container, state: container_pb2.ContainerState
) -> None:
    """Wait for what happened outside to be noticed: nobody can be asked to tell when."""

    async def is_so() -> bool:
        return (await wire.inspect(container.id)).status.state == state

    await eventually(is_so, f"{container_pb2.ContainerState.Name(state)} is noticed")
