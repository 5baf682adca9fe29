"""An exec that cannot begin leaves no trace, one that has begun comes to its end, and nobody hangs:
whichever call of it is refused, lost, answered to nobody, or stands still.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import grpc
import pytest

from moored import errors
from moored.model.execs import EndReason, ExecSpec, Phase, WindowSize
from moored.model.exits import Origin
from moored.streams.output import Stream
from moored.verbs.exec_session import Piece, Wiring
from tests.faults.world import copied, soon
from tests.real.deadlines import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from moored.model.execs import Exec
    from moored.verbs.exec_session import Session
    from tests.faults.world import World

STAYS = ExecSpec(("stays",))
SAYS = ExecSpec(("echo", "hello"))
CAT = ExecSpec(("cat",))
CONNECTED = Wiring(output=True)
WITH_STDIN = Wiring(output=True, stdin=True)
BEGINNING = ("Containers.Get", "Tasks.Exec", "Tasks.Start")
LOSSES: tuple[Literal["request", "reply"], ...] = ("request", "reply")


async def connect(world: World, spec: ExecSpec = STAYS, wiring: Wiring = CONNECTED) -> Session:
    return await soon(world.verbs.executor.connect("web", spec, wiring))


async def said(session: Session) -> bytes:
    """Return all that it writes to stdout, once it has ended."""
    found = bytearray()
    while isinstance(piece := await soon(session.read()), Piece):
        assert piece.stream is Stream.STDOUT
        found += piece.data
    return bytes(found)


async def over(session: Session) -> Exec:
    """Return an exec that nothing is left of."""
    assert session.task is not None
    await soon(asyncio.wait([session.task]))
    return session.exec


async def test_an_exec_begins_says_what_it_has_to_and_leaves_nothing(world: World) -> None:
    await world.start(name="web")
    before = world.inventory()
    session = await connect(world, SAYS)
    assert await said(session) == b"hello\n"
    ended = await over(session)
    assert ended.phase is Phase.ENDED
    assert ended.exit is not None
    assert (ended.exit.code, ended.reason) == (0, EndReason.EXITED)
    assert world.inventory() == before
    assert world.verbs.executor.book.find(ended.id) == ended


@pytest.mark.parametrize("call", ["Tasks.Exec", "Tasks.Start"])
@pytest.mark.parametrize("loss", LOSSES)
async def test_one_that_cannot_begin_leaves_no_trace(
    world: World, call: str, loss: Literal["request", "reply"]
) -> None:
    await world.start(name="web")
    before = world.inventory()
    world.fake.lose(loss, call)
    with pytest.raises(errors.RuntimeUnreachable):
        await connect(world)
    await nothing_left(world)
    assert world.inventory() == before
    assert await said(await connect(world, SAYS)) == b"hello\n"


@pytest.mark.parametrize("loss", LOSSES)
async def test_a_lost_look_at_the_container_costs_another_look(
    world: World, loss: Literal["request", "reply"]
) -> None:
    await world.start(name="web")
    world.fake.lose(loss, "Containers.Get")
    assert await said(await connect(world, SAYS)) == b"hello\n"


@pytest.mark.parametrize("call", BEGINNING)
async def test_one_that_is_refused_says_the_runtimes_words_and_leaves_no_trace(
    world: World, call: str
) -> None:
    await world.start(name="web")
    before = world.inventory()
    world.fake.refuse(call, grpc.StatusCode.UNKNOWN, "no luck today")
    with pytest.raises(errors.RuntimeRefused, match="no luck today"):
        await connect(world)
    await nothing_left(world)
    assert world.inventory() == before


@pytest.mark.parametrize("call", BEGINNING)
@pytest.mark.parametrize("after", [False, True])
async def test_one_whose_caller_goes_away_before_it_begins_leaves_no_trace(
    world: World, call: str, after: bool
) -> None:
    await world.start(name="web")
    before = world.inventory()
    with world.fake.hold(call, after=after) as hold:
        caller = asyncio.create_task(world.verbs.executor.connect("web", STAYS, CONNECTED))
        await hold.reached()
        caller.cancel()
        await asyncio.wait([caller])
        assert caller.cancelled()
    await nothing_left(world)
    assert world.inventory() == before


@pytest.mark.parametrize("call", BEGINNING)
async def test_a_cleanup_does_not_wait_for_one_that_hangs_in_its_beginning(
    world: World, call: str
) -> None:
    await world.start(name="web")
    with world.fake.hold(call) as hold:
        caller = asyncio.create_task(world.verbs.executor.connect("web", STAYS, CONNECTED))
        await hold.reached()
        cleaner = world.verbs.cleaner
        outcome = await soon(cleaner.cleanup("web", force=True, and_remove=True))
        assert outcome.complete
        with pytest.raises(errors.ContainerNotRunning):
            await soon(caller)
    assert world.inventory().containerd.is_bare
    assert world.inventory().files == frozenset()


async def test_what_is_not_there_is_told_as_such(world: World) -> None:
    await world.start(name="web")
    before = world.inventory()
    with pytest.raises(errors.CommandNotFound):
        await connect(world, ExecSpec(("nope",)))
    await nothing_left(world)
    assert world.inventory() == before


async def test_what_was_written_is_kept_for_one_who_reads_when_all_is_over(world: World) -> None:
    await world.start(name="web")
    session = await connect(world, SAYS)
    await over(session)
    assert await said(session) == b"hello\n"


async def test_stdin_goes_in_and_ends(world: World) -> None:
    await world.start(name="web")
    session = await connect(world, CAT, WITH_STDIN)
    await soon(session.write(b"through"))
    await soon(world.verbs.executor.end_input(session))
    assert await said(session) == b"through"
    assert (await over(session)).exit is not None


@pytest.mark.parametrize("loss", LOSSES)
async def test_a_lost_end_of_stdin_is_told_and_can_be_followed_by_the_end(
    world: World, loss: Literal["request", "reply"]
) -> None:
    await world.start(name="web")
    session = await connect(world, CAT, WITH_STDIN)
    world.fake.lose(loss, "Tasks.CloseIO")
    with pytest.raises(errors.RuntimeUnreachable):
        await soon(world.verbs.executor.end_input(session))
    world.verbs.executor.leave(session)
    await over(session)
    await nothing_left(world)


async def test_a_window_is_given_before_the_command_can_be_heard(world: World) -> None:
    started = await world.start(name="web")
    window = WindowSize(91, 33)
    tty = replace(STAYS, tty=True)
    session = await connect(world, tty, replace(CONNECTED, window=window))
    run = f"{started.id}.1"
    assert world.fake.exec(run, session.exec.id).window == (91, 33)
    await soon(world.verbs.executor.resize(session, WindowSize(50, 20)))
    assert world.fake.exec(run, session.exec.id).window == (50, 20)
    world.fake.lose("request", "Tasks.ResizePty")
    with pytest.raises(errors.RuntimeUnreachable):
        await soon(world.verbs.executor.resize(session, window))
    world.verbs.executor.leave(session)
    await over(session)


@pytest.mark.parametrize("call", ["Tasks.Wait", "Tasks.DeleteProcess", "Tasks.Kill"])
@pytest.mark.parametrize("loss", LOSSES)
async def test_one_that_runs_comes_to_its_end_whatever_is_lost(
    world: World, call: str, loss: Literal["request", "reply"]
) -> None:
    await world.start(name="web")
    before = world.inventory()
    session = await connect(world)
    world.fake.lose(loss, call, times=3)
    world.verbs.executor.leave(session)
    ended = await over(session)
    assert ended.reason is EndReason.CALLER_GONE
    assert ended.exit is not None
    assert world.inventory() == before


async def test_one_that_ends_while_containerd_is_away_is_seen_when_it_is_back(
    world: World,
) -> None:
    started = await world.start(name="web")
    session = await connect(world)
    await world.fake.stop()
    world.fake.end_exec(f"{started.id}.1", session.exec.id, 7)
    await world.fake.restart()
    ended = await over(session)
    assert ended.exit is not None
    assert (ended.exit.code, ended.exit.origin) == (7, Origin.PROCESS)


async def test_one_whose_shim_dies_ends_and_nobody_says_how(world: World) -> None:
    started = await world.start(name="web")
    session = await connect(world)
    world.fake.kill_shim(f"{started.id}.1")
    ended = await over(session)
    assert ended.exit is not None
    assert ended.exit.origin is Origin.UNKNOWN


async def test_the_end_of_the_container_is_the_reason_of_an_execs(world: World) -> None:
    started = await world.start(name="web")
    session = await connect(world)
    world.fake.exit(f"{started.id}.1", 3)
    ended = await over(session)
    assert ended.reason is EndReason.CONTAINER_ENDED
    settled = await world.settled("web")
    assert settled.exit is not None
    assert settled.exit.code == 3


async def test_a_cleanup_ends_one_that_cannot_be_waited_for(world: World) -> None:
    await world.start(name="web")
    with world.fake.hold("Tasks.Wait", times=1):
        session = await connect(world)
        outcome = await soon(world.verbs.cleaner.cleanup("web", force=True, and_remove=True))
        assert outcome.complete
        ended = await over(session)
    assert ended.reason is EndReason.CONTAINER_ENDED
    assert await said(session) == b""
    assert world.inventory().files == frozenset()


async def test_in_a_paused_container_nothing_begins_and_what_is_to_end_ends_with_the_thaw(
    world: World,
) -> None:
    await world.start(name="web")
    session = await connect(world)
    await soon(world.verbs.pauser.pause("web"))
    with pytest.raises(errors.ContainerPaused):
        await connect(world)
    world.verbs.executor.leave(session)
    await soon(world.verbs.pauser.resume("web"))
    assert (await over(session)).reason is EndReason.CALLER_GONE


async def test_one_that_is_paused_under_its_beginning_says_so(world: World) -> None:
    started = await world.start(name="web")
    with world.fake.hold("Tasks.Exec") as hold:
        caller = asyncio.create_task(world.verbs.executor.connect("web", STAYS, CONNECTED))
        await hold.reached()
        await soon(world.verbs.pauser.pause(started.id))
    with pytest.raises(errors.ContainerPaused):
        await soon(caller)
    await nothing_left(world)


async def test_a_command_that_takes_too_long_is_killed(world: World) -> None:
    await world.start(name="web")
    executor = world.verbs.executor
    done = await soon(executor.run("web", STAYS, stdin=b"", within=0.05, most=10))
    assert done.exec.reason is EndReason.TIMED_OUT
    await nothing_left(world)


async def test_a_caller_of_a_command_that_goes_away_ends_it(world: World) -> None:
    await world.start(name="web")
    executor = world.verbs.executor
    caller = asyncio.create_task(executor.run("web", STAYS, stdin=b"", within=60, most=10))
    await eventually(lambda: any(e.phase is Phase.RUNNING for e in executor.book.all()), "it runs")
    caller.cancel()
    await asyncio.wait([caller])
    await nothing_left(world)


async def test_a_second_house_ends_what_is_connected_and_adopts_what_is_detached(
    world: World, home: Path
) -> None:
    started = await world.start(name="web")
    connected = await connect(world)
    detached = await soon(world.verbs.executor.detach("web", STAYS))
    run = f"{started.id}.1"
    async with copied(world, home / "two") as other:
        await soon(other.house.keepers.recovery.run())
        book = other.verbs.executor.book
        await eventually(lambda: len(living(other)) == 1, "one is ended")
        assert living(other) == [detached.id]
        assert not world.fake.exec(run, detached.id).ended.is_set()
        found = book.find(detached.id)
        assert (found.pid, found.spec, found.detached) == (detached.pid, STAYS, True)
        world.fake.end_exec(run, detached.id, 7)
        await eventually(lambda: not living(other), "the other is seen to end")
        exit = book.find(detached.id).exit
        assert exit is not None
        assert exit.code == 7
    await over(connected)


async def nothing_left(world: World) -> None:
    """Return once no exec is under way."""
    await eventually(lambda: not world.verbs.executor.book.busy, "no exec is under way")


def living(world: World) -> list[str]:
    return [e.id for e in world.verbs.executor.book.all() if e.phase is not Phase.ENDED]
