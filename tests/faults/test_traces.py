"""The law: every deed is a trace or part of one; what nobody called for is a trace of its own,
linked to the start that it follows from; nothing is a trace by accident."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from opentelemetry.trace import format_span_id, format_trace_id

from moorage.v1.container_service_pb2 import ListRequest
from moored import errors
from moored.containerd_api import tasks_pb2, tasks_pb2_grpc
from moored.model.health import Checkup, ExecProbe, Outcome
from moored.model.output import SMALLEST_SIZE, LogConfig
from moored.model.restart import RestartCondition, RestartPolicy
from moored.model.state import Running
from tests.faults.door import connected
from tests.faults.scenes import SPEC
from tests.faults.world import copied, soon
from tests.real.deadlines import eventually
from tests.real.wire import refused

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.world import World


def named(world: World, name: str) -> list[Any]:
    return [span for span in world.finished if span.name == name]


def the(world: World, name: str) -> Any:
    [span] = named(world, name)
    return span


def linked(span: Any) -> list[tuple[int, int]]:
    return [(link.context.trace_id, link.context.span_id) for link in span.links]


def itself(span: Any) -> tuple[int, int]:
    return span.context.trace_id, span.context.span_id


def orphans(world: World) -> list[str]:
    """Return what has a parent in this process that never ended."""
    known = {span.context.span_id for span in world.finished}
    return [s.name for s in world.finished if s.parent and s.parent.span_id not in known]


def roots(world: World) -> set[str]:
    return {span.name for span in world.finished if span.parent is None}


async def exited(world: World, run: int = 1) -> None:
    world.fake.exit(f"{world.snapshot('web').id}.{run}", 3)
    await world.until("web", lambda view: not isinstance(view.snapshot.state, Running))
    await world.settled("web")


async def test_an_exit_is_a_trace_of_its_own_linked_to_the_start(world: World) -> None:
    await world.start(name="web")
    await exited(world)
    end, start = the(world, "exit"), the(world, "start")
    assert end.parent is None
    assert linked(end) == [itself(start)]
    assert end.attributes["container.id"] == world.snapshot("web").id
    assert (end.attributes["moorage.run"], end.attributes["moorage.exit.code"]) == (1, 3)
    released = named(world, "release.task")
    assert [span.parent.span_id for span in released] == [end.context.span_id]


async def test_the_start_that_a_policy_asks_for_is_linked_to_the_one_before(world: World) -> None:
    restarting = asyncio.create_task(world.house.keepers.restarts.run())
    try:
        await world.start(name="web", restart_policy=RestartPolicy(RestartCondition.ALWAYS))
        world.fake.exit(f"{world.snapshot('web').id}.1", 3)
        await world.until("web", lambda view: view.snapshot.run == 2)
        await world.until("web", lambda view: isinstance(view.snapshot.state, Running))
        await world.settled("web")
    finally:
        restarting.cancel()
        await asyncio.wait([restarting])
    first, second = named(world, "start")
    assert linked(second) == [itself(first)]
    assert second.parent is None
    assert second.attributes["moorage.run"] == 2


async def test_a_recovery_is_linked_to_a_start_of_an_earlier_moored(
    world: World, home: Path
) -> None:
    await world.start(name="web")
    start = the(world, "start")
    async with copied(world, home / "two") as other:
        await soon(other.house.keepers.recovery.run())
        assert linked(the(other, "recover")) == [itself(start)]
        assert roots(other) == {"recover"}


async def test_a_sweep_is_a_trace_of_its_own(world: World) -> None:
    await world.start(name="web")
    world.fake.refuse("Containers.Delete", grpc.StatusCode.UNKNOWN, "no luck")
    await exited(world)
    await soon(world.house.keepers.sweep.round())
    swept = the(world, "sweep")
    assert linked(swept) == [itself(the(world, "start"))]
    assert "release.container" in {
        s.name for s in world.finished if s.parent and s.parent.span_id == swept.context.span_id
    }


@pytest.mark.parametrize(
    ("command", "outcome"), [("true", Outcome.SUCCEEDED), ("stays", Outcome.TIMED_OUT)]
)
async def test_a_probe_is_a_trace_of_its_own_that_says_what_it_found(
    world: World, command: str, outcome: Outcome
) -> None:
    container = (await world.start(name="web")).id
    within, none = timedelta(seconds=10 if outcome is Outcome.SUCCEEDED else 0.2), timedelta()
    check = Checkup(ExecProbe((command,)), within, within, none, none, 1)
    await soon(world.house.keepers.health.prober.probe(world.snapshot("web"), check))
    probe = the(world, "probe")
    assert probe.parent is None
    assert linked(probe) == [itself(the(world, "start"))]
    assert probe.attributes["container.id"] == container
    assert probe.attributes["moorage.probe.outcome"] == outcome
    assert probe.status.status_code.name == "UNSET"
    called = "containerd.services.tasks.v1.Tasks/Exec"
    assert the(world, called).context.trace_id == probe.context.trace_id
    await eventually(lambda: not world.verbs.executor.book.busy, "no exec is under way")


async def test_a_rotation_is_a_trace_of_its_own_linked_to_the_start(world: World) -> None:
    kept = LogConfig(max_size=SMALLEST_SIZE, max_files=1)
    container = (await world.start(name="web", log_config=kept)).id
    output = world.house.adapters.output.paths(container, 1)
    line = b"x" * 63 + b"\n"
    output.stdout.write_bytes(line * (4 * SMALLEST_SIZE // len(line)))
    await eventually(partial(_is_traced, world, "rotate"), "it is rotated")
    rotated = the(world, "rotate")
    assert rotated.parent is None
    assert linked(rotated) == [itself(the(world, "start"))]
    assert rotated.attributes["container.id"] == container
    assert rotated.attributes["moorage.run"] == 1
    assert rotated.status.status_code.name == "UNSET"


async def test_a_rotation_that_fails_is_an_error(world: World) -> None:
    container = (await world.start(name="web")).id
    output = world.house.adapters.output.paths(container, 1)
    output.stderr.unlink()
    output.stderr.mkdir()
    with pytest.raises(IsADirectoryError):
        await world.house.hub.rotator.let_go(str(output.stderr), 1)
    assert the(world, "rotate").status.status_code.name == "ERROR"


async def _is_traced(world: World, name: str) -> bool:
    return bool(named(world, name))


async def test_a_release_that_fails_is_an_error_below_what_goes_on(world: World) -> None:
    await world.start(name="web")
    world.fake.refuse("Containers.Delete", grpc.StatusCode.UNKNOWN, "no luck")
    await exited(world)
    assert the(world, "release.container").status.status_code.name == "ERROR"
    assert the(world, "exit").status.status_code.name == "UNSET"


async def test_the_trace_goes_on_to_containerd(world: World) -> None:
    async with connected(world) as wire:
        await wire.run(SPEC)
    start, create = the(world, "start"), the(world, "containerd.services.tasks.v1.Tasks/Create")
    _, trace, parent, flags = world.fake.heard["Tasks.Create"].split("-")
    assert trace == format_trace_id(start.context.trace_id)
    assert parent == format_span_id(create.context.span_id)
    assert int(flags, 16) & 1
    assert create.parent.span_id == the(world, "start.task").context.span_id
    assert create.kind.name == "CLIENT"
    assert create.attributes["rpc.response.status_code"] == "OK"


async def test_a_callers_trace_goes_on(world: World) -> None:
    trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    async with connected(world) as wire:
        metadata = (("traceparent", f"00-{trace}-{parent}-01"),)
        await wire.containers.List(ListRequest(), metadata=metadata)
    [span] = named(world, "moorage.v1.ContainerService/List")
    assert format_trace_id(span.context.trace_id) == trace
    assert format_span_id(span.parent.span_id) == parent


async def test_a_call_to_containerd_that_is_cut_short_ends_its_span(world: World) -> None:
    with world.fake.hold("Snapshots.Prepare") as hold:
        start = asyncio.ensure_future(world.start(name="web"))
        await hold.reached()
        cleanup = asyncio.ensure_future(
            world.verbs.cleaner.cleanup("web", force=True, and_remove=True)
        )
        start.cancel()
        hold.release()
        with pytest.raises((asyncio.CancelledError, errors.MooredError)):
            await soon(start)
        await soon(cleanup)
    assert orphans(world) == []


async def test_a_call_that_its_step_gives_up_says_that_it_was_cancelled(world: World) -> None:
    connection = world.house.adapters.connection
    stub = tasks_pb2_grpc.TasksStub(connection.channel)
    with world.fake.hold("Tasks.List") as hold, world.site.tracer.start_as_current_span("step"):
        call = asyncio.ensure_future(
            connection.unary(stub.List, tasks_pb2.ListTasksRequest(), "list tasks")
        )
        await hold.reached()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await soon(call)
    span = the(world, "containerd.services.tasks.v1.Tasks/List")
    assert (span.status.status_code.name, span.status.description) == ("ERROR", "cancelled")
    assert span.parent.span_id == the(world, "step").context.span_id


async def test_a_call_beside_any_trace_begins_none(world: World) -> None:
    connection = world.house.adapters.connection
    stub = tasks_pb2_grpc.TasksStub(connection.channel)
    world.fake.heard.clear()
    await soon(connection.unary(stub.List, tasks_pb2.ListTasksRequest(), "list tasks"))
    assert named(world, "containerd.services.tasks.v1.Tasks/List") == []
    assert world.fake.heard["Tasks.List"] == ""


async def test_a_change_that_waits_for_another_says_so(world: World) -> None:
    async with connected(world) as wire:
        await wire.create(SPEC)
        with world.fake.hold("Tasks.Create") as hold:
            first = asyncio.ensure_future(wire.start("web"))
            await hold.reached()
            second = asyncio.ensure_future(wire.start("web"))
            await wire.list()
            await wire.list()
        await first
        assert (await second).already_running
    waited = the(world, "claim")
    assert waited.parent.span_id == named(world, "start.admit.claim")[-1].context.span_id


async def test_no_trace_begins_by_accident_and_none_has_an_orphan(world: World) -> None:
    async with connected(world) as wire:
        container = await wire.run(SPEC)
        await wire.inspect("web")
        await refused(wire.run(SPEC))
        await exited(world)
        await wire.start("web")
        await wire.cleanup("web")
    assert orphans(world) == []
    assert roots(world) <= {"exit", *(f"moorage.v1.ContainerService/{m}" for m in _METHODS)}
    assert not any(container.id in span.name for span in world.finished)


_METHODS = ("Start", "Inspect", "Cleanup")
