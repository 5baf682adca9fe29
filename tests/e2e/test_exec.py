"""Exec: a command beside a container's first process is that process's equal in what it may, has
its streams to itself, and ends with whoever has to see to it: its caller, its run, the service.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import grpc
import pytest

from moorage.v1 import container_pb2, exec_service_pb2
from moorage.v1.terminal_pb2 import WindowSize
from tests.outside import kernel, processes
from tests.real.conversations import executing
from tests.real.deadlines import eventually
from tests.real.specs import shell, sleeper
from tests.real.wire import duration, refusal, refused

if TYPE_CHECKING:
    from typing import Any

    from tests.real.moored import Moored
    from tests.real.site import Site
    from tests.real.wire import Wire

pytestmark = pytest.mark.real

CHUNK = os.urandom(1 << 16)
MEGABYTES_IN_SOAK = 1024


async def run_in(
    wire: Wire, container: str, *args: str, **fields: Any
) -> exec_service_pb2.ExecSyncResponse:
    more = {k: fields.pop(k) for k in ("env", "user", "working_dir") if k in fields}
    request = exec_service_pb2.ExecSyncRequest(
        container=container, spec=exec_service_pb2.ExecSpec(args=args, **more), **fields
    )
    return await wire.execs.ExecSync(request, timeout=60)


async def execs(wire: Wire, container: str = "") -> list[exec_service_pb2.Exec]:
    request = exec_service_pb2.ListExecsRequest(container=container)
    return list((await wire.execs.ListExecs(request, timeout=10)).execs)


def living(wire_execs: list[exec_service_pb2.Exec]) -> list[str]:
    return [e.id for e in wire_execs if e.state != exec_service_pb2.EXEC_STATE_ENDED]


# What it is


async def test_a_command_answers_what_it_wrote_and_how_it_ended(wire: Wire) -> None:
    async with wire.running(sleeper()) as box:
        done = await run_in(wire, box.id, "sh", "-c", "cat; echo no >&2; exit 7", stdin=b"hello")
    assert (done.stdout, done.stderr, done.truncated) == (b"hello", b"no\n", False)
    assert (done.exec.exit.code, done.exec.exit.origin) == (7, container_pb2.EXIT_ORIGIN_PROCESS)
    assert done.exec.end_reason == exec_service_pb2.EXEC_END_REASON_EXITED
    assert (done.exec.container, done.exec.run) == (box.id, 1)


async def test_it_is_what_the_container_is_but_for_what_was_asked(wire: Wire) -> None:
    script = (
        "id -u; id -g; pwd; echo $COLOUR $MORE; grep -E 'Cap(Bnd|Eff)|Seccomp:' /proc/self/status"
    )
    async with wire.running(sleeper(env=["COLOUR=red", "MORE=less"], working_dir="/etc")) as box:
        same = await run_in(wire, box.id, "sh", "-c", script)
        other = await run_in(
            wire,
            box.id,
            *("sh", "-c", script),
            user="5:6",
            working_dir="/tmp",
            env=["COLOUR=blue"],
        )
        inside = await run_in(
            wire, box.id, "sh", "-c", "grep -E 'Cap(Bnd|Eff)|Seccomp:' /proc/1/status"
        )
    assert same.stdout.decode().split("\n", 4)[:4] == ["0", "0", "/etc", "red less"]
    assert other.stdout.decode().split("\n", 4)[:4] == ["5", "6", "/tmp", "blue less"]
    assert same.stdout.decode().endswith(inside.stdout.decode())
    assert "CapEff:\t0000000000000000" in other.stdout.decode()


async def test_what_cannot_be_executed_is_told_as_a_shell_would(wire: Wire) -> None:
    async with wire.running(sleeper()) as box:
        for command, reason in (
            ("nope", "COMMAND_NOT_FOUND"),
            ("/etc", "COMMAND_NOT_EXECUTABLE"),
        ):
            refusal = await refused(run_in(wire, box.id, command))
            assert (refusal.code, refusal.reason) == (
                grpc.StatusCode.FAILED_PRECONDITION,
                reason,
            )
        nowhere = await refused(run_in(wire, box.id, "true", working_dir="/nowhere"))
        assert (nowhere.reason, nowhere.fields) == ("INVALID_FIELD", ("spec.working_dir",))
        nobody = await refused(run_in(wire, box.id, "true", user="nobody-knows"))
        assert (nobody.reason, nobody.fields) == ("INVALID_FIELD", ("spec.user",))
        assert living(await execs(wire, box.id)) == []


async def test_output_beyond_the_limit_is_read_and_dropped(wire: Wire) -> None:
    async with wire.running(sleeper()) as box:
        script = "yes | head -c 3000000; exit 4"
        done = await run_in(wire, box.id, "sh", "-c", script, output_limit=100)
    assert (len(done.stdout), done.truncated, done.exec.exit.code) == (100, True, 4)


async def test_a_command_that_takes_too_long_is_killed_with_all_that_it_started(
    moored: Moored, wire: Wire
) -> None:
    async with wire.running(sleeper()) as box:
        script = "echo begun; sleep 100000 & sleep 100000"
        done = await run_in(wire, box.id, "sh", "-c", script, timeout=duration(0.5))
        assert done.exec.end_reason == exec_service_pb2.EXEC_END_REASON_TIMED_OUT
        assert (done.stdout, done.exec.exit.code) == (b"begun\n", 137)
        await only_the_first_process(moored, box)


async def only_the_first_process(moored: Moored, box: container_pb2.Container) -> None:
    async def alone() -> bool:
        return set(kernel.grouped_processes([moored.instance])) == {box.status.pid}

    await eventually(alone, "nothing but the container's own process lives")


# Its streams


@pytest.mark.parametrize(
    "megabytes",
    [32, pytest.param(MEGABYTES_IN_SOAK, marks=[pytest.mark.soak, pytest.mark.timeout(300)])],
)
async def test_what_goes_in_comes_out_byte_by_byte_and_fills_no_memory(
    moored: Moored, wire: Wire, megabytes: int
) -> None:
    sent, got, size = hashlib.sha256(), hashlib.sha256(), 0
    async with wire.running(sleeper()) as box:
        before = moored.resident_kilobytes()
        start = exec_service_pb2.ExecStart(
            container=box.id, spec=exec_service_pb2.ExecSpec(args=["cat"]), stdin=True
        )

        async def requests() -> Any:
            yield exec_service_pb2.ExecRequest(start=start)
            for _ in range(megabytes * 16):
                sent.update(CHUNK)
                yield exec_service_pb2.ExecRequest(stdin=CHUNK)

        async for response in wire.execs.Exec(requests(), timeout=280):
            got.update(response.stdout)
            size += len(response.stdout)
        grown = moored.resident_kilobytes() - before
    assert response.end.exit.code == 0
    assert (size, got.digest()) == (megabytes << 20, sent.digest())
    assert grown < 50_000


async def test_one_who_does_not_read_holds_up_nobody_else(wire: Wire) -> None:
    async with (
        wire.running(sleeper()) as box,
        executing(wire, box.id, "yes") as deaf,
    ):
        assert (await deaf.hear()).WhichOneof("part") == "started"
        for _ in range(3):
            done = await run_in(wire, box.id, "echo", "still here")
            assert done.stdout == b"still here\n"
        assert len(living(await execs(wire, box.id))) == 1


async def test_what_was_written_before_the_end_is_read_after_it(wire: Wire) -> None:
    """Also by one who reads nothing before the command has ended."""
    async with (
        wire.running(sleeper()) as box,
        executing(wire, box.id, "sh", "-c", "yes | head -c 300000; exit 5") as late,
    ):
        await late.hear()

        async def ended() -> bool:
            return living(await execs(wire, box.id)) == []

        await eventually(ended, "the command has ended")
        end = await late.to_end()
        assert (len(late.stdout), end.exit.code) == (300000, 5)


async def test_stdin_ends_when_its_caller_says_so_and_signals_still_arrive(wire: Wire) -> None:
    script = "trap 'echo caught; exit 3' USR1; cat; echo over; while :; do sleep 0.05; done"
    async with (
        wire.running(sleeper()) as box,
        executing(wire, box.id, "sh", "-c", script, stdin=True) as talk,
    ):
        await talk.type("one ")
        await talk.type("two ")
        await talk.end_stdin()
        await talk.until("over")
        await talk.say(signal="USR1")
        assert (await talk.to_end()).exit.code == 3
    assert bytes(talk.stdout) == b"one two over\ncaught\n"


async def test_a_terminal_has_the_size_it_is_given(wire: Wire) -> None:
    window = WindowSize(width=91, height=33)
    async with (
        wire.running(sleeper()) as box,
        executing(wire, box.id, "sh", stdin=True, tty=True, window=window) as talk,
    ):
        await talk.type("stty size; echo $TERM\n")
        await talk.until("33 91\r\nxterm")
        await talk.resize(50, 20)
        await talk.type("stty size\n")
        await talk.until("20 50")
        await talk.type("exit 3\n")
        assert (await talk.to_end()).exit.code == 3
    assert bytes(talk.stderr) == b""


async def test_what_is_not_there_is_refused_by_name(wire: Wire) -> None:
    async with wire.running(sleeper()) as box:
        for say, reason in (
            ({"window": WindowSize(width=1, height=1)}, "TTY_MISSING"),
            ({"stdin": b"x"}, "STDIN_NOT_OPEN"),
            ({"signal": "SIGNOPE"}, "INVALID_FIELD"),
            ({}, "NOT_SERVED"),
        ):
            async with executing(wire, box.id, "sleep", "100000") as talk:
                await talk.hear()
                await talk.say(**say)
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await talk.to_end()
                assert refusal(caught.value).reason == reason


# Its end


async def test_one_whose_caller_goes_away_ends_and_one_that_is_detached_goes_on(
    moored: Moored, wire: Wire
) -> None:
    async with wire.running(sleeper()) as box:
        script = "trap '' HUP; sleep 99 & echo here; wait"
        async with executing(wire, box.id, "sh", "-c", script) as talk:
            await talk.until("here")
            assert len(kernel.grouped_processes([moored.instance])) == 3
        await only_the_first_process(moored, box)
        request = exec_service_pb2.ExecDetachedRequest(
            container=box.id, spec=exec_service_pb2.ExecSpec(args=["sleep", "100000"])
        )
        begun = (await wire.execs.ExecDetached(request, timeout=10)).exec
        assert begun.detached
        assert processes.is_alive(begun.pid)
        assert living(await execs(wire, box.id)) == [begun.id]
        kill = exec_service_pb2.KillExecRequest(exec=begun.id, signal="TERM")
        await wire.execs.KillExec(kill, timeout=10)
        await only_the_first_process(moored, box)
        inspect = exec_service_pb2.InspectExecRequest(exec=begun.id)

        async def ended() -> bool:
            found = (await wire.execs.InspectExec(inspect, timeout=10)).exec
            return found.exit.code == 143

        await eventually(ended, "the exec has ended by its signal")
        assert (await refused(wire.execs.KillExec(kill))).reason == "EXEC_ENDED"


async def test_s47_execs_are_ended_and_unregistered_by_a_cleanup(
    moored: Moored, wire: Wire
) -> None:
    box = await wire.run(sleeper())
    detached = exec_service_pb2.ExecDetachedRequest(
        container=box.id, spec=exec_service_pb2.ExecSpec(args=["sleep", "100000"])
    )
    await wire.execs.ExecDetached(detached, timeout=10)
    async with executing(wire, box.id, "sh", "-c", "echo here; sleep 100000") as talk:
        await talk.until("here")
        answer = await wire.cleanup(box.id)
        assert answer.complete
        assert next(r.kind for r in answer.resources) == "streams"
        end = await talk.to_end()
    assert end.end_reason == exec_service_pb2.EXEC_END_REASON_CONTAINER_ENDED
    assert end.exit.code == 137
    assert await execs(wire) == []
    assert kernel.grouped_processes([moored.instance]) == {}


async def test_execs_end_with_the_run_and_the_next_run_knows_none(wire: Wire) -> None:
    async with (
        wire.running(shell("read x; exit 0", stdin=True)) as box,
        executing(wire, box.id, "sleep", "100000") as talk,
    ):
        await talk.hear()
        await wire.stop(box.id, grace=0)
        end = await talk.to_end()
        assert end.end_reason == exec_service_pb2.EXEC_END_REASON_CONTAINER_ENDED
        await wire.start(box.id)
        assert await execs(wire, box.id) == []
        assert (await run_in(wire, box.id, "echo", "again")).stdout == b"again\n"


async def test_nothing_is_executed_in_what_does_not_run(wire: Wire) -> None:
    async with wire.created(sleeper()) as made:
        assert (await refused(run_in(wire, made.id, "true"))).reason == "CONTAINER_NOT_RUNNING"
    async with wire.running(sleeper()) as box:
        from moorage.v1 import container_service_pb2

        pause = container_service_pb2.PauseRequest(container=box.id)
        await wire.containers.Pause(pause, timeout=10)
        found = await refused(run_in(wire, box.id, "true"))
        assert (found.code, found.reason) == (
            grpc.StatusCode.FAILED_PRECONDITION,
            "CONTAINER_PAUSED",
        )
        assert await execs(wire, box.id) == []


# After a crash


async def test_a_moored_that_was_killed_leaves_no_connected_exec_and_finds_detached_ones(
    own_moored: Moored, own_wire: Wire, site: Site
) -> None:
    wire = own_wire
    async with wire.running(sleeper()) as box:
        request = exec_service_pb2.ExecDetachedRequest(
            container=box.id, spec=exec_service_pb2.ExecSpec(args=["sleep", "100000"])
        )
        detached = (await wire.execs.ExecDetached(request, timeout=10)).exec
        async with executing(wire, box.id, "sh", "-c", "echo here; sleep 100000") as talk:
            await talk.until("here")
            own_moored.kill()
            with pytest.raises(grpc.aio.AioRpcError):
                await talk.to_end()
        assert len(kernel.grouped_processes([own_moored.instance])) == 3
        own_moored.start()

        async def only_the_detached() -> bool:
            pids = set(kernel.grouped_processes([own_moored.instance]))
            return pids == {box.status.pid, detached.pid}

        await eventually(only_the_detached, "the connected exec is ended")
        found = await execs(wire, box.id)
        assert [(e.id, e.pid, e.spec) for e in found if e.id == detached.id] == [
            (detached.id, detached.pid, detached.spec)
        ]
        assert living(found) == [detached.id]
        assert (await run_in(wire, box.id, "echo", "back")).stdout == b"back\n"


async def test_a_moored_that_ends_tells_its_callers_and_leaves_detached_execs(
    own_moored: Moored, own_wire: Wire
) -> None:
    wire = own_wire
    async with wire.running(sleeper()) as box:
        request = exec_service_pb2.ExecDetachedRequest(
            container=box.id, spec=exec_service_pb2.ExecSpec(args=["sleep", "100000"])
        )
        detached = (await wire.execs.ExecDetached(request, timeout=10)).exec
        async with executing(wire, box.id, "sleep", "100000") as talk:
            await talk.hear()
            own_moored.stop()
            assert (
                await talk.hear()
            ).end.end_reason == exec_service_pb2.EXEC_END_REASON_SERVER_ENDED
            with pytest.raises(grpc.aio.AioRpcError) as told:
                await talk.hear()
            assert refusal(told.value).reason == "SHUTTING_DOWN"
        pids = set(kernel.grouped_processes([own_moored.instance]))
        assert pids == {box.status.pid, detached.pid}
        own_moored.start()
