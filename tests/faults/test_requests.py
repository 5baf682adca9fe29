"""A retried request happens once, wherever the first try was cut off.

``killed`` is what a kill of moored leaves between a deed and the record of its answer: the
deed is done as for a named request, and nobody keeps the answer.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from moorage.v1 import container_pb2, container_service_pb2
from moored import errors
from moored.api.once import Mark, Once, named
from moored.api.starting import StartingDesk
from moored.model.policy import LOCAL
from moored.model.state import Exited, Running, Starting
from moored.requests import AnsweredBefore
from tests.faults.world import copied, soon

if TYPE_CHECKING:
    from pathlib import Path

    from moored.model.requests import Request
    from tests.faults.world import World

SPEC = container_pb2.ContainerSpec(image="thing:1", command=["stays"], name="web")
CREATE = container_service_pb2.CreateRequest(spec=SPEC, request_id="r")
START = container_service_pb2.StartRequest(spec=SPEC, request_id="r")
START_WEB = container_service_pb2.StartRequest(container="web", request_id="r")


@dataclass(frozen=True)
class Caller:
    """Asks a world for one thing, as the wire does: whole, or cut off after the deed."""

    message: Any

    @property
    def _request(self) -> Request:
        found = named(type(self.message).__name__, self.message, bytes)
        assert found is not None
        return found

    async def _answer(self, world: World, mark: Mark) -> Any:
        house = world.house
        desk = StartingDesk(
            directory=house.registry,
            creator=house.verbs.creator,
            starter=house.verbs.starter,
            planner=house.verbs.planner,
            warnings=lambda _: (),
            seal=house.adapters.vault.seal,
        )
        if isinstance(self.message, container_service_pb2.CreateRequest):
            return await desk.create(self.message, mark, role=LOCAL)
        return await desk.start(self.message, mark, role=LOCAL)

    async def killed(self, world: World) -> Any:
        return await soon(self._answer(world, Mark(self._request, None)))

    async def __call__(self, world: World) -> container_pb2.Container:
        once = Once(lambda mark: self._answer(world, mark), self._request)
        answer = await soon(world.house.requests.once(self._request, once))
        if isinstance(self.message, container_service_pb2.CreateRequest):
            return container_service_pb2.CreateResponse.FromString(answer).container
        return container_service_pb2.StartResponse.FromString(answer).container


create, start, start_web = Caller(CREATE), Caller(START), Caller(START_WEB)


def runs(world: World) -> list[tuple[str, int]]:
    return [(known.id, known.run) for known in world.house.registry.all()]


async def test_a_retry_gets_the_first_answer_though_the_container_has_changed(
    world: World, home: Path
) -> None:
    first = await start(world)
    await soon(world.verbs.stopper.stop("web"))
    assert await start(world) == first
    async with copied(world, home / "two") as other:
        assert await start(other) == first
        assert runs(other) == [(first.id, 1)]


async def test_a_create_that_lost_its_answer_is_found_again(world: World, home: Path) -> None:
    lost = await create.killed(world)
    async with copied(world, home / "two") as other:
        assert (await create(other)).id == lost.container.id
        assert (await create(other)).id == lost.container.id
        assert runs(other) == [(lost.container.id, 0)]


async def test_a_start_that_lost_its_answer_is_found_running(world: World, home: Path) -> None:
    lost = await start.killed(world)
    async with copied(world, home / "two") as other:
        await soon(other.house.keepers.recovery.run())
        again = await start(other)
        assert (again.id, again.status.run) == (lost.container.id, 1)
        assert again.status.state == container_pb2.CONTAINER_STATE_RUNNING
        assert len(world.fake.inventory().tasks) == 1


async def test_what_has_run_and_ended_is_not_started_a_second_time(
    world: World, home: Path
) -> None:
    lost = await start.killed(world)
    world.fake.exit(f"{lost.container.id}.1", 4)
    await world.until("web", lambda view: isinstance(view.snapshot.state, Exited))
    await world.settled("web")
    async with copied(world, home / "two") as other:
        again = await start(other)
        assert (again.status.run, again.status.exit.code) == (1, 4)
        assert runs(other) == [(lost.container.id, 1)]


async def test_a_start_by_name_that_lost_its_answer_is_not_repeated_either(
    world: World, home: Path
) -> None:
    await create(world)  # with the same name: then it is the other request that is refused
    with pytest.raises(errors.RequestIdReused):
        await start_web(world)
    other_name = container_service_pb2.StartRequest(container="web", request_id="s")
    lost = await Caller(other_name).killed(world)
    world.fake.exit(f"{lost.container.id}.1", 4)
    await world.until("web", lambda view: isinstance(view.snapshot.state, Exited))
    await world.settled("web")
    async with copied(world, home / "two") as other:
        again = await Caller(other_name)(other)
        assert (again.status.run, again.status.exit.code) == (1, 4)


@pytest.mark.parametrize("call", ["Snapshots.Prepare", "Tasks.Create"])
async def test_a_start_that_was_cut_short_goes_on_in_the_same_container(
    world: World, home: Path, call: str
) -> None:
    with world.fake.hold(call) as hold:
        cut = asyncio.create_task(start.killed(world))
        await hold.reached()
        async with copied(world, home / "two") as other:
            assert isinstance(other.snapshot("web").state, Starting)
            retry = asyncio.create_task(start(other))  # before recovery has looked at it
            await soon(other.house.keepers.recovery.run())
            cut.cancel()
            again = await retry
            assert again.status.state == container_pb2.CONTAINER_STATE_RUNNING
            assert runs(other) == [(again.id, 2)]
    await asyncio.wait([cut])


async def test_a_start_that_nobody_undoes_is_not_waited_for_without_end(
    world: World, home: Path
) -> None:
    with world.fake.hold("Tasks.Create") as hold:
        cut = asyncio.create_task(start.killed(world))
        await hold.reached()
        async with copied(world, home / "two") as other:
            object.__setattr__(other.house.verbs.starter.limits, "step", 0.05)
            with pytest.raises(errors.Interrupted):
                await start(other)
            cut.cancel()
    await asyncio.wait([cut])


async def test_a_start_that_failed_is_tried_again_in_the_container_that_it_made(
    world: World,
) -> None:
    world.fake.lose("request", "Tasks.Create")
    with pytest.raises(errors.RuntimeUnreachable):
        await start(world)
    made = world.snapshot("web")
    again = await start(world)
    assert again.id == made.id
    assert isinstance(world.snapshot("web").state, Running)
    assert runs(world) == [(made.id, 2)]
    assert await start(world) == again


async def test_a_failed_start_whose_container_went_with_it_makes_another(world: World) -> None:
    message = container_service_pb2.StartRequest(spec=SPEC, request_id="r")
    message.spec.auto_remove = True
    world.fake.lose("request", "Tasks.Create")
    with pytest.raises(errors.RuntimeUnreachable):
        await Caller(message)(world)
    with pytest.raises(errors.ContainerNotFound):
        world.snapshot("web")
    again = await Caller(message)(world)
    assert again.status.state == container_pb2.CONTAINER_STATE_RUNNING


async def test_a_container_that_ran_and_was_removed_is_not_made_again(
    world: World, home: Path
) -> None:
    lost = await start.killed(world)
    await soon(world.verbs.cleaner.cleanup("web", force=True, and_remove=True))
    async with copied(world, home / "two") as other:
        with pytest.raises(errors.ContainerNotFound, match=lost.container.id):
            await start(other)
        assert runs(other) == []


async def test_a_failure_for_good_is_told_again_after_a_restart(world: World, home: Path) -> None:
    await world.start(name="web")
    with pytest.raises(errors.NameTaken):
        await create(world)
    async with copied(world, home / "two") as other:
        with pytest.raises(AnsweredBefore):
            await create(other)


async def test_a_caller_with_a_name_that_goes_away_before_the_record_stops_nothing(
    world: World,
) -> None:
    with world.fake.hold("Images.Get") as hold:
        caller = asyncio.create_task(start(world))
        await hold.reached()
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        retry = asyncio.create_task(start(world))
    assert (await retry).status.run == 1
    assert len(runs(world)) == 1


async def test_fifty_callers_of_one_request_make_one_run(world: World) -> None:
    answers = await asyncio.gather(*(start(world) for _ in range(50)))
    assert {(answer.id, answer.status.run) for answer in answers} == set(runs(world))
    assert len(world.fake.inventory().tasks) == 1


async def test_a_start_that_was_refused_before_its_record_begins_anew(world: World) -> None:
    object.__setattr__(world.house.adapters.connection, "_call_limit", 0.2)
    world.fake.refuse("Images.Get", grpc.StatusCode.UNAVAILABLE, "down", times=1000)
    with pytest.raises(errors.RuntimeUnreachable):
        await start(world)
    world.fake.forgive()
    object.__setattr__(world.house.adapters.connection, "_call_limit", 10.0)
    assert runs(world) == []
    assert (await start(world)).status.run == 1
