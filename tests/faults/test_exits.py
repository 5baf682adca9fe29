"""One exit, once: the first true one of a run, whatever happens around it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from moored import errors
from moored.model.exits import Origin
from moored.model.resources import Kind
from moored.model.state import Exited
from tests.faults.world import soon

if TYPE_CHECKING:
    from moored.model.exits import Exit
    from moored.model.state import Snapshot
    from tests.faults.world import World


async def exited(world: World, reference: str = "web") -> Snapshot:
    await world.until(reference, lambda view: isinstance(view.snapshot.state, Exited))
    return await world.settled(reference)


async def test_an_exit_is_recorded_and_the_run_released(world: World) -> None:
    before = world.inventory()
    started = await world.start(name="web")
    world.fake.exit(f"{started.id}.1", 7)
    ended = await exited(world)
    assert ended.exit is not None
    assert (ended.exit.code, ended.exit.origin) == (7, Origin.PROCESS)
    assert {resource.kind for resource in ended.resources} == {Kind.LAYER, Kind.OUTPUT}
    left = world.inventory().containerd
    assert left.tasks == before.containerd.tasks
    assert left.containers == before.containerd.containers
    assert left.bundles == before.containerd.bundles


async def test_a_process_that_ends_at_once_is_not_lost(world: World) -> None:
    await world.start(name="web", command=("true",))
    assert (ended := (await exited(world)).exit) is not None
    assert ended.code == 0
    assert ended.at >= (world.snapshot("web").started or ended.at)


async def test_an_exit_while_containerd_is_down_keeps_its_true_code(world: World) -> None:
    started = await world.start(name="web")
    await world.fake.stop()
    world.fake.exit(f"{started.id}.1", 7)
    await world.fake.restart()
    ended = await exited(world)
    assert ended.exit is not None
    assert ended.exit.code == 7


async def test_an_exit_is_committed_before_its_task_is_deleted(world: World) -> None:
    started = await world.start(name="web")
    with world.fake.hold("Tasks.Delete") as hold:
        world.fake.exit(f"{started.id}.1", 7)
        await hold.reached()
        shown = world.snapshot("web").exit
        assert shown is not None
        assert shown.code == 7
    await world.settled("web")


async def test_a_shim_that_dies_is_no_exit_of_the_process(world: World) -> None:
    started = await world.start(name="web")
    world.fake.kill_shim(f"{started.id}.1")
    ended = await exited(world)
    assert ended.exit is not None
    assert ended.exit.origin is Origin.RUNTIME
    assert ended.exit.code != 0


async def test_a_late_exit_of_an_old_run_changes_nothing(world: World) -> None:
    started = await world.start(name="web")
    world.fake.exit(f"{started.id}.1", 7)
    first = await exited(world)
    async with world.house.registry.claim("web") as claim:
        await world.house.keepers.exits.settle(claim, 1, _other(first))
    assert world.snapshot("web").exit == first.exit
    await soon(world.verbs.starter.start("web"))
    async with world.house.registry.claim("web") as claim:
        await world.house.keepers.exits.settle(claim, 1, _other(first))
    assert world.snapshot("web").exit is None


async def test_a_container_that_asked_for_it_goes_with_its_exit(world: World) -> None:
    before = world.inventory()
    started = await world.start(auto_remove=True)
    subject = world.house.registry.find(started.id)
    world.fake.exit(f"{started.id}.1", 3)
    view = await soon(subject.until(lambda seen: seen.gone))
    assert view.snapshot.exit is not None
    assert view.snapshot.exit.code == 3
    assert world.inventory() == before
    with pytest.raises(errors.ContainerNotFound):
        world.snapshot(started.id)


def _other(snapshot: Snapshot) -> Exit:
    assert snapshot.exit is not None
    return replace(snapshot.exit, code=99)
