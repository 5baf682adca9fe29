"""Attach: what a run wrote and then writes, to several at once, without gap or repeat; its stdin,
its terminal and its signals. Nobody who is attached is felt by the container, nor is moored's end.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest

from moorage.v1 import container_pb2, container_service_pb2
from moorage.v1.terminal_pb2 import WindowSize
from tests.real.conversations import attached
from tests.real.deadlines import eventually
from tests.real.specs import shell, sleeper
from tests.real.wire import refusal, refused

if TYPE_CHECKING:
    from tests.real.conversations import Conversation
    from tests.real.moored import Moored
    from tests.real.wire import Wire

pytestmark = pytest.mark.real

COUNTS = "i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i+1)); done; read x; exit 6"
ALL = "".join(f"{number}\n" for number in range(20000)).encode()
ENDED = container_service_pb2.ATTACH_END_REASON_RUN_ENDED
REMOVED = container_service_pb2.ATTACH_END_REASON_REMOVED


async def error_of(talk: Conversation) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await talk.to_end()
    return refusal(caught.value).reason


async def test_what_was_written_comes_first_and_then_what_is_written_without_gap_or_repeat(
    wire: Wire,
) -> None:
    async with wire.running(shell(COUNTS, stdin=True)) as box:
        async with attached(wire, box.id, stdin=True) as one, attached(wire, box.id) as other:
            await one.until("\n19999\n")
            await other.until("\n19999\n")
            assert bytes(one.stdout) == bytes(other.stdout) == ALL
            offset = len(one.stdout)
            async with attached(wire, box.id, stdout_offset=offset - 6) as resumed:
                await one.type("x\n")
                ends = [await talk.to_end() for talk in (one, other, resumed)]
        assert bytes(resumed.stdout) == b"19999\n"
    assert [(end.reason, end.exit.code) for end in ends] == [(ENDED, 6)] * 3


async def test_one_may_begin_with_the_last_lines_or_with_none(wire: Wire) -> None:
    script = "echo one; echo two; read x; echo three"
    async with wire.running(shell(script, stdin=True)) as box:
        await wire.until_printed(box.id, "two")
        async with (
            attached(wire, box.id, tail=1, stdin=True) as last,
            attached(wire, box.id, tail=0) as live,
        ):
            await live.hear()
            await last.type("x\n")
            await last.to_end()
            await live.to_end()
    assert bytes(last.stdout) == b"two\nthree\n"
    assert bytes(live.stdout) == b"three\n"


async def test_one_who_reads_nothing_is_felt_by_nobody(wire: Wire) -> None:
    script = "yes 0123456789 | head -c 20000000; exit 3"
    async with wire.running(shell(script)) as box, attached(wire, box.id) as deaf:
        await deaf.hear()
        ended = await wire.wait(box.id)
        assert ended.status.exit.code == 3
        end = await deaf.to_end()
    assert (len(deaf.stdout), end.exit.code) == (20000000, 3)


async def test_going_away_stops_nothing_and_coming_back_is_possible(wire: Wire) -> None:
    script = "while read line; do echo got $line; done; exit 5"
    async with wire.running(shell(script, stdin=True)) as box:
        for word in ("one", "two"):
            async with attached(wire, box.id, stdin=True) as talk:
                await talk.type(f"{word}\n")
                await talk.until(f"got {word}\n")
        async with attached(wire, box.id, stdin=True) as talk:
            await talk.end_stdin()
            assert (await talk.to_end()).exit.code == 5
        assert bytes(talk.stdout) == b"got one\ngot two\n"


async def test_stdin_that_only_one_may_have_ends_with_that_one(wire: Wire) -> None:
    script = "while read line; do echo got $line; done; echo over"
    async with wire.running(shell(script, stdin=True, stdin_once=True)) as box:
        async with attached(wire, box.id, stdin=True) as talk:
            await talk.type("one\n")
            await talk.until("got one\n")
            async with attached(wire, box.id, stdin=True) as other:
                assert await error_of(other) == "STDIN_NOT_OPEN"
        await wire.wait(box.id)
        assert await wire.printed(box.id) == b"got one\nover\n"


async def test_s49_who_is_attached_is_told_the_end_and_why(wire: Wire) -> None:
    box = await wire.run(shell("echo here; sleep 100000"))
    async with attached(wire, box.id) as talk:
        await talk.until("here")
        assert (await wire.cleanup(box.id)).complete
        end = await talk.to_end()
    assert (end.reason, end.exit.code) == (REMOVED, 137)


async def test_a_terminal_writes_to_the_captured_output_and_has_its_size(wire: Wire) -> None:
    spec = container_pb2.ContainerSpec(image="busybox", command=["sh"], tty=True, stdin=True)
    window = WindowSize(width=77, height=22)
    async with wire.running(spec) as box:
        async with attached(wire, box.id, stdin=True, window=window) as talk:
            await talk.type("stty size; echo error >&2; exit 4\n")
            end = await talk.to_end()
        assert end.exit.code == 4
        assert b"22 77\r\nerror\r\n" in talk.stdout
        assert await wire.printed(box.id) == bytes(talk.stdout)


async def test_signals_arrive_and_what_is_not_there_is_refused_by_name(wire: Wire) -> None:
    script = "trap 'exit 3' USR1; echo ready; while :; do sleep 0.05; done"
    async with wire.running(shell(script)) as box:
        for say, reason in (
            ({"window": WindowSize(width=1, height=1)}, "TTY_MISSING"),
            ({"stdin": b"x"}, "STDIN_NOT_OPEN"),
            ({"signal": "SIGNOPE"}, "INVALID_FIELD"),
        ):
            async with attached(wire, box.id) as talk:
                await talk.say(**say)
                assert await error_of(talk) == reason
        async with attached(wire, box.id, stdin=True) as talk:
            assert await error_of(talk) == "STDIN_NOT_OPEN"
        async with attached(wire, box.id, stdout_offset=100) as talk:
            assert await error_of(talk) == "INVALID_FIELD"
        async with attached(wire, box.id) as talk:
            await talk.until("ready")
            await talk.say(signal="USR1")
            assert (await talk.to_end()).exit.code == 3


async def test_one_that_never_ran_has_nothing_to_be_attached_to(wire: Wire) -> None:
    async with wire.created(sleeper()) as box, attached(wire, box.id) as talk:
        assert await error_of(talk) == "CONTAINER_NOT_RUNNING"
    async with wire.created(sleeper()) as box, attached(wire, box.id, run=3) as talk:
        assert await error_of(talk) == "RUN_NOT_FOUND"


async def test_the_next_run_is_waited_for_and_nothing_of_it_is_missed(wire: Wire) -> None:
    """Though it has ended, and is removed, at once."""
    box = await wire.create(shell("echo all; exit 3", auto_remove=True))
    async with attached(wire, box.id, run=1) as talk:
        await wire.start(box.id)
        end = await talk.to_end()
    assert (bytes(talk.stdout), end.exit.code) == (b"all\n", 3)


async def test_one_who_waits_for_a_run_that_does_not_begin_is_told_so(wire: Wire) -> None:
    spec = container_pb2.ContainerSpec(image="busybox", command=["nope"])
    async with wire.created(spec) as box, attached(wire, box.id, run=1) as talk:
        assert (await refused(wire.start(box.id))).reason == "COMMAND_NOT_FOUND"
        assert await error_of(talk) == "RUN_NOT_FOUND"


async def test_neither_the_end_of_moored_nor_its_death_is_felt_by_a_container(
    own_moored: Moored, own_wire: Wire
) -> None:
    wire = own_wire
    script = "i=0; while read line; do i=$((i+1)); echo $i $line; done; exit 9"
    async with wire.running(shell(script, stdin=True)) as box:
        for number, (end, reason) in enumerate(
            ((own_moored.stop, "SHUTTING_DOWN"), (own_moored.kill, "")), start=1
        ):
            async with attached(wire, box.id, stdin=True) as talk:
                await talk.type("x\n")
                await talk.until(f"{number} x\n")
                end()
                assert await error_of(talk) == reason
            own_moored.start()
        async with attached(wire, box.id, stdin=True) as talk:
            await talk.end_stdin()
            assert (await talk.to_end()).exit.code == 9
        assert bytes(talk.stdout) == b"1 x\n2 x\n"


async def test_stdin_whose_only_holder_went_with_a_killed_moored_is_closed(
    own_moored: Moored, own_wire: Wire
) -> None:
    wire = own_wire
    async with wire.running(shell("cat; echo over", stdin=True, stdin_once=True)) as box:
        async with attached(wire, box.id, stdin=True) as talk:
            await talk.type("one\n")
            await talk.until("one\n")
            own_moored.kill()
        own_moored.start()
        await wire.wait(box.id)
        assert await wire.printed(box.id) == b"one\nover\n"


async def test_a_dead_moored_blocks_no_terminal(own_moored: Moored, own_wire: Wire) -> None:
    wire = own_wire
    script = "while [ ! -e /go ]; do sleep 0.05; done; yes | head -c 300000; echo done > /done"
    spec = shell(f"{script}; sleep 100000", tty=True, stdin=True)
    async with wire.running(spec) as box:
        own_moored.kill()
        inside = Path(f"/proc/{box.status.pid}/root")
        (inside / "go").touch()
        await eventually((inside / "done").exists, "all was written, though nobody was there")
        own_moored.start()
        printed = await wire.printed(box.id, follow=False)
        assert len(re.findall(rb"y\r\n", printed)) == 150000


async def test_stdin_once_needs_stdin(wire: Wire) -> None:
    refused_ = await refused(wire.create(sleeper(stdin_once=True)))
    assert (refused_.reason, refused_.fields) == ("INVALID_FIELD", ("spec.stdin_once",))
