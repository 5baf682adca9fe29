"""A probe that something goes wrong with says what it found out, or that it found out nothing; it
leaves no exec behind, and the next one is as good as any. Stats ask nobody who could be away.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

import grpc
import pytest

from moored.model.health import Checkup, ExecProbe, Outcome, TcpProbe
from tests.faults.world import soon
from tests.real.deadlines import eventually

if TYPE_CHECKING:
    from moored.model.health import Probe
    from moored.probes.finding import Finding
    from tests.faults.world import World

BEGINNING = ("Containers.Get", "Tasks.Exec", "Tasks.Start")
WHOLE = (*BEGINNING, "Tasks.Wait", "Tasks.DeleteProcess")
LOSSES: tuple[Literal["request", "reply"], ...] = ("request", "reply")
FINE = ExecProbe(("true",))
HANGS = ExecProbe(("stays",))


async def probed(world: World, probe: Probe = FINE, *, within: float = 10) -> Finding:
    limit, none = timedelta(seconds=within), timedelta()
    check = Checkup(probe, limit, limit, none, none, 1)
    return await soon(world.house.keepers.health.prober.probe(world.snapshot("web"), check))


async def nothing_left(world: World) -> None:
    await eventually(lambda: not world.verbs.executor.book.busy, "no exec is under way")


@pytest.mark.parametrize("call", WHOLE)
@pytest.mark.parametrize("loss", LOSSES)
async def test_a_lost_call_says_nothing_of_the_container_and_leaves_nothing(
    world: World, call: str, loss: Literal["request", "reply"]
) -> None:
    await world.start(name="web")
    before = world.inventory()
    world.fake.lose(loss, call)
    assert (await probed(world)).outcome in (Outcome.UNDECIDED, Outcome.SUCCEEDED)
    await nothing_left(world)
    assert world.inventory() == before
    assert (await probed(world)).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize("call", BEGINNING)
async def test_what_the_runtime_refuses_is_told_in_its_words_and_leaves_nothing(
    world: World, call: str
) -> None:
    await world.start(name="web")
    before = world.inventory()
    world.fake.refuse(call, grpc.StatusCode.UNKNOWN, "no luck today")
    found = await probed(world)
    assert found.outcome is Outcome.FAILED
    assert "no luck today" in found.output
    await nothing_left(world)
    assert world.inventory() == before
    assert (await probed(world)).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize("call", BEGINNING)
@pytest.mark.parametrize("after", [False, True])
async def test_one_that_is_cut_short_in_a_call_that_hangs_leaves_nothing(
    world: World, call: str, after: bool
) -> None:
    await world.start(name="web")
    before = world.inventory()
    with world.fake.hold(call, after=after) as hold:
        probing = asyncio.create_task(probed(world))
        await hold.reached()
        probing.cancel()
        await asyncio.wait([probing])
    await nothing_left(world)
    assert world.inventory() == before
    assert (await probed(world)).outcome is Outcome.SUCCEEDED


async def test_one_that_takes_too_long_is_ended(world: World) -> None:
    await world.start(name="web")
    before = world.inventory()
    assert (await probed(world, HANGS, within=0.2)).outcome is Outcome.TIMED_OUT
    await nothing_left(world)
    assert world.inventory() == before


async def test_a_cleanup_waits_for_no_probe_that_hangs_in_its_beginning(world: World) -> None:
    await world.start(name="web")
    with world.fake.hold("Tasks.Start") as hold:
        probing = asyncio.create_task(probed(world))
        await hold.reached()
        outcome = await soon(world.verbs.cleaner.cleanup("web", force=True, and_remove=True))
        assert outcome.complete
        assert (await soon(probing)).outcome is Outcome.UNDECIDED
    assert world.inventory().containerd.is_bare


async def test_a_socket_of_one_that_has_ended_says_nothing(world: World) -> None:
    """The fake's processes are none of the kernel's: as they are when a run has just ended."""
    await world.start(name="web")
    assert (await probed(world, TcpProbe(80))).outcome is Outcome.UNDECIDED


async def test_with_containerd_away_stats_are_told_all_the_same(world: World) -> None:
    await world.start(name="web")
    await world.fake.stop()
    sampler = world.verbs.sampler
    # Nothing is counted for a run without a cgroup, which is left out; and nobody was waited for.
    assert await soon(sampler.sample(sampler.find(["web"]))) == []
    await world.fake.restart()
