"""What a run writes is in Logs: all of it, in order, by stream, while it runs and afterwards."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from moorage.v1 import container_service_pb2
from moorage.v1.container_service_pb2 import LogsRequest
from tests.real.specs import shell, sleeper
from tests.real.wire import Wire, refusal

if TYPE_CHECKING:
    from moorage.v1.container_service_pb2 import LogsResponse
    from tests.real.moored import Moored

pytestmark = pytest.mark.real

OUT = container_service_pb2.LOG_STREAM_STDOUT
ERR = container_service_pb2.LOG_STREAM_STDERR
LINES = container_service_pb2.LOG_FORMAT_LINES


async def test_both_streams_are_kept_apart(wire: Wire) -> None:
    async with wire.running(shell("echo out; echo err >&2; echo more")) as container:
        assert await wire.printed(container.id, OUT) == b"out\nmore\n"
        assert await wire.printed(container.id, ERR) == b"err\n"
        both = await _parts(wire, LogsRequest(container=container.id, follow=True))
        assert {part.stream for part in both if part.data} == {OUT, ERR}


async def test_quick_exits_lose_nothing(wire: Wire) -> None:
    async def one(number: int) -> bytes:
        async with wire.running(shell(f"echo {number}; echo e{number} >&2")) as container:
            out = await wire.printed(container.id, OUT)
            return out + await wire.printed(container.id, ERR)

    for start in range(0, 16, 4):
        printed = await asyncio.gather(*(one(number) for number in range(start, start + 4)))
        assert printed == [f"{n}\ne{n}\n".encode() for n in range(start, start + 4)]


async def test_large_binary_output_arrives_whole(wire: Wire) -> None:
    script = "dd if=/dev/urandom of=/r bs=1000 count=3000 2>/dev/null; cat /r; sha256sum /r >&2"
    async with wire.running(shell(script)) as container:
        written = await wire.printed(container.id, OUT)
        digest = (await wire.printed(container.id, ERR)).split()[0].decode()
        assert len(written) == 3_000_000
        assert hashlib.sha256(written).hexdigest() == digest


async def test_offsets_count_the_bytes_of_their_stream(wire: Wire) -> None:
    async with wire.running(shell("for i in 1 2 3; do echo $i; done")) as container:
        parts = await _parts(wire, LogsRequest(container=container.id, follow=True, streams=[OUT]))
        position = 0
        for part in (part for part in parts if part.data):
            assert part.offset == position
            assert part.run == 1
            position += len(part.data)
        assert position == 6


async def test_follow_delivers_as_it_is_written_and_ends_with_the_run(wire: Wire) -> None:
    script = "trap 'echo last; exit 0' TERM; echo first; sleep 100000 & wait"
    async with wire.running(shell(script)) as container:
        request = LogsRequest(container=container.id, follow=True, format=LINES)
        lines = list[str]()
        async for part in wire.logs(request):
            lines += [part.line] if part.line else []
            if part.line == "first":
                stopping = asyncio.create_task(wire.stop(container.id))
        assert lines == ["first", "last"]
        assert (await stopping).container.status.exit.code == 0


async def test_without_follow_it_ends_at_the_end_of_what_is_there(wire: Wire) -> None:
    async with wire.running(shell("echo there; sleep 100000")) as container:
        await wire.until_printed(container.id, "there")
        assert await wire.printed(container.id, follow=False) == b"there\n"


@pytest.mark.parametrize(
    ("tail", "expected"), [(0, []), (1, ["5"]), (3, ["3", "4", "5"]), (100, list("12345"))]
)
async def test_tail_gives_the_last_lines(wire: Wire, tail: int, expected: list[str]) -> None:
    async with wire.running(shell("for i in 1 2 3 4 5; do echo $i; done")) as container:
        await wire.wait(container.id)
        request = LogsRequest(container=container.id, tail=tail, format=LINES)
        assert [part.line for part in await _parts(wire, request) if part.line] == expected


async def test_tail_of_nothing_and_follow_gives_what_comes_next(wire: Wire) -> None:
    script = "trap 'echo new; exit 0' TERM; echo old; sleep 100000 & wait"
    async with wire.running(shell(script)) as container:
        await wire.until_printed(container.id, "old")
        request = LogsRequest(container=container.id, follow=True, tail=0, format=LINES)
        following = asyncio.create_task(_parts(wire, request))
        await wire.stop(container.id)
        lines = [part.line for part in await following if part.line]
        assert lines in (["new"], [])  # it may have been written before the call arrived
        assert "old" not in lines


async def test_since_leaves_out_what_was_written_before(wire: Wire) -> None:
    script = "trap 'echo late; exit 0' TERM; echo early; sleep 100000 & wait"
    async with wire.running(shell(script)) as container:
        await wire.until_printed(container.id, "early")
        await asyncio.sleep(1)  # not to wait for anything: times are exact to a tenth of a second
        between = Timestamp()
        between.GetCurrentTime()
        await asyncio.sleep(1)
        await wire.stop(container.id)
        request = LogsRequest(container=container.id, since=between, format=LINES)
        assert [part.line for part in await _parts(wire, request) if part.line] == ["late"]


async def test_a_line_without_its_end_is_a_line(wire: Wire) -> None:
    async with wire.running(shell("printf 'one\\n\\ntwo'")) as container:
        request = LogsRequest(container=container.id, follow=True, format=LINES)
        parts = await _parts(wire, request)
        lines = [part.line for part in parts if part.HasField("line")]
        assert lines == ["one", "", "two"]


async def test_what_is_no_text_shows_as_such_in_lines_and_whole_in_bytes(wire: Wire) -> None:
    async with wire.running(shell("printf 'a\\377b\\n'")) as container:
        request = LogsRequest(container=container.id, follow=True, format=LINES)
        lines = [part.line for part in await _parts(wire, request) if part.line]
        assert lines == ["a\ufffdb"]
        assert await wire.printed(container.id) == b"a\xffb\n"


async def test_each_run_has_an_output_of_its_own(wire: Wire) -> None:
    script = "echo x >>/count; wc -l </count"
    async with wire.running(shell(script)) as container:
        first = await wire.printed(container.id)
        await wire.wait(container.id)
        await wire.start(container.id)
        assert await wire.printed(container.id) == b"2\n"
        assert (first, await wire.printed(container.id, run=1)) == (b"1\n", b"1\n")


async def test_a_run_that_never_was_is_not_found(wire: Wire) -> None:
    async with wire.created(sleeper()) as container:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await _parts(wire, LogsRequest(container=container.id, run=7))
        refused = refusal(raised.value)
        assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "RUN_NOT_FOUND")


async def test_a_chatty_container_costs_moored_nothing_and_blocks_on_nobody(
    moored: Moored, wire: Wire
) -> None:
    script = "dd if=/dev/zero bs=1000000 count=40 2>/dev/null; echo done >&2"
    before = moored.resident_kilobytes()
    async with wire.running(shell(script)) as container:
        await wire.wait(container.id)
        assert await wire.printed(container.id, ERR) == b"done\n"
        assert moored.resident_kilobytes() - before < 20_000


async def test_followers_that_go_away_leave_nothing_behind(wire: Wire) -> None:
    async with wire.running(shell("echo ready; sleep 100000")) as container:
        for _ in range(20):
            await wire.until_printed(container.id, "ready")
        assert (await wire.cleanup(container.id)).complete


async def test_a_follower_ends_when_the_container_is_removed(wire: Wire) -> None:
    async with wire.running(sleeper()) as container:
        request = LogsRequest(container=container.id, follow=True)
        following = asyncio.create_task(_parts(wire, request))
        assert (await wire.cleanup(container.id)).complete
        await asyncio.wait([following], timeout=30)
        assert following.done()
        if error := following.exception():
            assert isinstance(error, grpc.aio.AioRpcError)
            assert refusal(error).reason in {"CONTAINER_NOT_FOUND", "RUN_NOT_FOUND"}


async def _parts(wire: Wire, request: LogsRequest) -> list[LogsResponse]:
    return [part async for part in wire.logs(request)]
