"""``logs`` prints what was asked for: bytes exactly, lines with times, or JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from moorage.v1 import container_service_pb2 as wire
from tests.fakes.command import Command
from tests.fakes.service import BEGINNING, FakeMoored

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

# gRPC's poller serves all loops of a process, and stumbles over events of one that is closed.
pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def moored(tmp_path: Path) -> AsyncIterator[FakeMoored]:
    async with FakeMoored(tmp_path / "moored.sock") as fake:
        yield fake


@pytest.fixture
def moorage(moored: FakeMoored) -> Command:
    return Command(moored.address)


async def test_each_stream_comes_out_on_its_own(moored: FakeMoored, moorage: Command) -> None:
    process = moored.process(await moored.running(name="web"))
    await process.write(b"\xffout")
    await process.write(b"err", stderr=True)
    await process.add(wire.LogsResponse(heartbeat=wire.LogsResponse.Heartbeat()))
    result = await moorage("logs", "web")
    assert (result.code, result.out, result.err) == (0, b"\xffout", "err")
    assert moored.script.requests["Logs"] == [
        wire.LogsRequest(container="web", format=wire.LOG_FORMAT_BYTES)
    ]


async def test_following_ends_with_the_run(moored: FakeMoored, moorage: Command) -> None:
    running = await moored.running(name="web")
    command = await moorage.begin("logs", "-f", "web")
    await moored.script.asked("Logs")
    await moored.process(running).write(b"late")
    await moored.containers.exit(running.id, 1)
    assert await command.communicate() == (b"late", b"")
    assert command.returncode == 0


async def test_every_option_has_its_field(moored: FakeMoored, moorage: Command) -> None:
    await moored.running(name="web")
    args = "--tail 0 --since 2026-01-02T03:04:05.678Z --stream stderr --run 2 web"
    assert (await moorage("logs", *args.split())).code == 0
    assert moored.script.requests["Logs"] == [
        wire.LogsRequest(
            container="web",
            tail=0,
            since=BEGINNING,
            streams=[wire.LOG_STREAM_STDERR],
            run=2,
            format=wire.LOG_FORMAT_BYTES,
        )
    ]


async def test_since_can_be_so_long_ago(moored: FakeMoored, moorage: Command) -> None:
    await moored.running(name="web")
    await moorage("logs", "--since", "1h", "web")
    await moorage("logs", "--since", "1m", "web")
    early, late = (request.since.ToSeconds() for request in moored.script.requests["Logs"])
    assert 3540 - 600 < late - early < 3540 + 600


async def test_lines_come_with_their_times(moored: FakeMoored, moorage: Command) -> None:
    process = moored.process(await moored.running(name="web"))
    await process.add(
        wire.LogsResponse(stream=wire.LOG_STREAM_STDOUT, time=BEGINNING, line="hällo")
    )
    result = await moorage("logs", "-t", "web")
    assert result.text == "2026-01-02T03:04:05.678000Z hällo\n"
    assert moored.script.requests["Logs"][0].format == wire.LOG_FORMAT_LINES


async def test_in_json_each_line_is_a_message(moored: FakeMoored, moorage: Command) -> None:
    process = moored.process(await moored.running(name="web"))
    await process.add(wire.LogsResponse(heartbeat=wire.LogsResponse.Heartbeat()))
    for number in range(2):
        await process.add(
            wire.LogsResponse(stream=wire.LOG_STREAM_STDOUT, run=1, line=f"line {number}")
        )
    result = await moorage("logs", "--json", "web")
    assert [json.loads(line) for line in result.lines] == [
        {"stream": "LOG_STREAM_STDOUT", "run": 1, "line": "line 0"},
        {"stream": "LOG_STREAM_STDOUT", "run": 1, "line": "line 1"},
    ]


@pytest.mark.parametrize(
    ("option", "value"), [("--since", "yesterday"), ("--tail", "-1"), ("--stream", "both")]
)
async def test_a_wrong_option_is_wrong_usage(
    moored: FakeMoored, moorage: Command, option: str, value: str
) -> None:
    result = await moorage("logs", option, value, "web")
    assert result.code == 2
    assert option in result.err
    assert not moored.script.requests["Logs"]


async def test_a_reader_that_goes_away_ends_it_quietly(
    moored: FakeMoored, moorage: Command
) -> None:
    running = await moored.running(name="web")
    process = moored.process(running)
    command = await moorage.begin("logs", "-f", "web")
    await process.write(b"one\n")
    assert command.stdout is not None
    await command.stdout.readline()
    command._transport.get_pipe_transport(1).close()  # type: ignore[attr-defined]  # as head does
    await process.write(b"two\n")
    assert await command.wait() == 141
    assert command.stderr is not None
    assert await command.stderr.read() == b""
