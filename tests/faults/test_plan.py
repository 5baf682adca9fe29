"""A plan is what the start would then do, and acquires nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from moored import errors
from moored.containerd_api import containers_pb2, containers_pb2_grpc
from moored.model.spec import Spec
from moored.verbs.look import PLANNED_HOME
from moored.verbs.plan import STAND_IN
from tests.faults.world import soon

if TYPE_CHECKING:
    from typing import Any

    from moored.model.state import Snapshot
    from moored.verbs.plan import Plan
    from tests.faults.world import World

WEB = Spec(image="thing:1", command=("stays",), name="web", env=("A=1",), hostname="web")


async def given(world: World, run: str) -> Any:
    """Return the runtime spec that containerd was given for a run."""
    connection = world.house.adapters.connection
    stub = containers_pb2_grpc.ContainersStub(connection.channel)
    request = containers_pb2.GetContainerRequest(id=run)
    answer = await connection.unary(stub.Get, request, "look at a container")
    return json.loads(answer.container.spec.value)


def as_planned(told: Any) -> Any:
    """Return a runtime spec without what only the image told."""
    env = [entry for entry in told["process"]["env"] if not entry.startswith("HOME=")]
    assert len(env) < len(told["process"]["env"])
    return {**told, "process": {**told["process"], "env": [*env, f"HOME={PLANNED_HOME}"]}}


def acquired(plan: Plan) -> list[str]:
    return [thing for step in plan.steps for thing in step.acquires]


def held(snapshot: Snapshot, run: int) -> set[str]:
    return {f"{r.kind} {r.key}" for r in snapshot.resources if r.run == run}


def steps_of(snapshot: Snapshot) -> list[str]:
    assert snapshot.last_start is not None
    return [step.name for step in snapshot.last_start.steps if "." not in step.name]


async def test_a_plan_of_a_spec_is_what_its_start_does(world: World) -> None:
    plan = await soon(world.verbs.planner.of_spec(WEB))
    assert plan.snapshot.id == STAND_IN
    started = (await soon(world.verbs.starter.create_and_start(WEB))).snapshot
    assert [step.name for step in plan.steps] == steps_of(started)
    real = {thing.replace(started.id, STAND_IN) for thing in held(started, 1)}
    assert set(acquired(plan)) == real
    assert len(acquired(plan)) == len(real)
    told = json.dumps(await given(world, f"{started.id}.1")).replace(started.id, STAND_IN)
    assert as_planned(json.loads(told)) == json.loads(plan.runtime_spec)


async def test_a_plan_of_a_second_run_keeps_the_layer_of_the_first(world: World) -> None:
    await soon(world.verbs.starter.create_and_start(WEB))
    await soon(world.verbs.stopper.stop("web"))
    plan = await soon(world.verbs.planner.of_container("web"))
    assert not any(thing.startswith("layer") for thing in acquired(plan))
    started = (await soon(world.verbs.starter.start("web"))).snapshot
    assert set(acquired(plan)) == held(started, 2)
    assert as_planned(await given(world, f"{started.id}.2")) == json.loads(plan.runtime_spec)


async def test_a_plan_leaves_nothing_not_even_a_name(world: World) -> None:
    before = world.inventory()
    story = list(world.fake.story)
    await soon(world.verbs.planner.of_spec(WEB))
    assert world.inventory() == before
    assert world.fake.story == story
    assert world.house.registry.all() == []
    await world.start(name="web")


async def test_a_plan_changes_nothing_of_the_container(world: World) -> None:
    created = await soon(world.verbs.creator.create(WEB))
    await soon(world.verbs.planner.of_container("web"))
    assert world.snapshot("web") is created


async def test_a_running_container_has_nothing_planned(world: World) -> None:
    await world.start(name="web")
    plan = await soon(world.verbs.planner.of_container("web"))
    assert plan.already_running
    assert plan.runtime_spec == ""


async def test_a_plan_is_refused_as_the_start_would_be(world: World) -> None:
    await world.start(name="web")
    with pytest.raises(errors.NameTaken):
        await soon(world.verbs.planner.of_spec(WEB))
    with pytest.raises(errors.ImageNotFound):
        await soon(world.verbs.planner.of_spec(Spec(image="nothing:1")))
    with pytest.raises(errors.ContainerNotFound):
        await soon(world.verbs.planner.of_container("nobody"))
    with pytest.raises(errors.EtagMismatch):
        await soon(world.verbs.planner.of_container("web", generation=2))
    await world.pause(world.snapshot("web").id)
    with pytest.raises(errors.ContainerPaused):
        await soon(world.verbs.planner.of_container("web"))
    with pytest.raises(errors.InvalidField):
        await soon(world.verbs.planner.of_spec(Spec(image="thing:1", name="a/b")))
