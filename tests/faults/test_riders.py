"""What is changed while it runs rides with the run in containerd, as soon as that answers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from moored.ledger import marks
from tests.real.deadlines import eventually

if TYPE_CHECKING:
    from moored.model.state import Snapshot
    from tests.faults.world import World


async def riding(world: World, run: str) -> Snapshot:
    record = await world.house.adapters.containers.get(run)
    assert record is not None
    return marks.read(record.mark)


async def test_a_new_name_rides_along_once_containerd_answers(world: World) -> None:
    started = await world.start(name="old")
    run = f"{started.id}.1"
    marking = asyncio.create_task(world.house.keepers.riders.run())
    try:
        with world.fake.hold("Containers.Update") as held:
            await world.verbs.renamer.rename("old", "new")
            await held.reached()
            assert (await riding(world, run)).spec.name == "old"

        async def renamed() -> bool:
            return (await riding(world, run)).spec.name == "new"

        await eventually(renamed, "the new name rides along")
    finally:
        marking.cancel()
        await asyncio.wait([marking])
