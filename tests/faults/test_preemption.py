"""A cleanup waits for no more than the step in which a start is held, whichever that is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from moored import errors
from tests.faults.world import STAYS, soon

if TYPE_CHECKING:
    from tests.faults.world import World

CALLS = ("Snapshots.Prepare", "Containers.Create", "Tasks.Create", "Tasks.Start")


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("remove", [False, True])
async def test_a_cleanup_preempts_a_start_in_each_of_its_steps_and_leaves_nothing(
    world: World, call: str, *, after: bool, remove: bool
) -> None:
    before = world.inventory()
    container = (await world.verbs.creator.create(STAYS)).id
    subject = world.house.registry.find(container)
    with world.fake.hold(call, after=after) as hold:
        starting = asyncio.create_task(world.verbs.starter.start(container))
        await hold.reached()
        cleaning = asyncio.create_task(
            world.verbs.cleaner.cleanup(container, force=True, and_remove=remove)
        )
        await soon(subject.preempted.wait())
    with pytest.raises(errors.PreemptedByCleanup):
        await soon(starting)
    outcome = await soon(cleaning)
    assert outcome.complete
    assert subject.view.gone is remove
    assert world.inventory() == before


async def test_a_cleanup_does_not_wait_for_a_turn_that_a_start_waits_for(world: World) -> None:
    gate = world.verbs.starter.gate
    container = (await world.verbs.creator.create(STAYS)).id
    idle = asyncio.Event()
    for _ in range(gate.width):
        await gate.enter(idle)
    starting = asyncio.create_task(world.verbs.starter.start(container))
    subject = world.house.registry.find(container)
    await soon(subject.until(lambda view: view.stage is not None))
    cleaning = asyncio.create_task(
        world.verbs.cleaner.cleanup(container, force=False, and_remove=True)
    )
    with pytest.raises(errors.PreemptedByCleanup):
        await soon(starting)
    assert (await soon(cleaning)).complete
