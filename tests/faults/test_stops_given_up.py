"""A stop that gave up is gone on with, unasked: what is STOPPING does not stay so."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from moored import errors
from moored.model.state import Exited, Stopping

if TYPE_CHECKING:
    from tests.faults.world import World


async def test_a_stop_whose_signal_was_lost_goes_on_with_the_next_sweep(world: World) -> None:
    started = await world.start(name="web")
    world.fake.lose("request", "Tasks.Kill")
    with pytest.raises(errors.RuntimeUnreachable):
        await world.verbs.stopper.stop(started.id, timeout=timedelta(0))
    assert isinstance(world.snapshot("web").state, Stopping)
    assert await world.house.keepers.sweep.round() == (1, 0)
    await world.until("web", lambda seen: isinstance(seen.snapshot.state, Exited))
    await world.settled("web")
    assert await world.house.keepers.sweep.round() == (0, 0)


async def test_one_that_ended_meanwhile_is_left_alone(world: World) -> None:
    started = await world.start(name="web")
    world.fake.lose("reply", "Tasks.Kill")
    with pytest.raises(errors.RuntimeUnreachable):
        await world.verbs.stopper.stop(started.id, timeout=timedelta(0))
    await world.until("web", lambda seen: isinstance(seen.snapshot.state, Exited))
    await world.settled("web")
    assert await world.house.keepers.sweep.round() == (0, 0)
