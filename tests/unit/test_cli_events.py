"""``events`` shows one line for each event, or its message as JSON; nothing else."""

from __future__ import annotations

import asyncio
import json
import signal
from typing import TYPE_CHECKING

import grpc
import pytest

from moorage.v1 import container_pb2, event_pb2
from moorage.v1 import container_service_pb2 as wire
from moorage.v1.event_pb2 import Event
from tests.fakes.command import WITHIN, Command
from tests.fakes.service import BEGINNING, FakeMoored, Refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

GONE = Refusal(grpc.StatusCode.OUT_OF_RANGE, "REVISION_GONE", "cannot watch from revision 1")


@pytest.fixture
async def moored(tmp_path: Path) -> AsyncIterator[FakeMoored]:
    async with FakeMoored(tmp_path / "moored.sock") as fake:
        yield fake


@pytest.fixture
def moorage(moored: FakeMoored) -> Command:
    return Command(moored.address)


def event(revision: int, kind: int, **facts: object) -> wire.WatchResponse:
    told = Event(
        revision=revision,
        kind=kind,  # type: ignore[arg-type]  # also what a newer server might say
        container=f"{1:032x}",
        time=BEGINNING,
        **facts,  # type: ignore[arg-type]
    )
    return wire.WatchResponse(event=told)


async def test_each_event_is_a_line_of_its_own(moored: FakeMoored, moorage: Command) -> None:
    exit = container_pb2.Exit(code=137, origin=container_pb2.EXIT_ORIGIN_SIGNAL, signal=9)
    error = container_pb2.ContainerError(message="cannot \x1b[2J")
    due = container_pb2.PendingRestart(due_time=BEGINNING, attempt=2)
    await moored.containers.news.add(
        wire.WatchResponse(heartbeat=wire.WatchResponse.Heartbeat(revision=1)),
        event(2, event_pb2.EVENT_KIND_STARTED, name="web"),
        event(3, event_pb2.EVENT_KIND_EXITED, exit=exit),
        event(4, event_pb2.EVENT_KIND_START_FAILED, error=error),
        event(5, event_pb2.EVENT_KIND_RESTART_SCHEDULED, restart=due),
        event(6, 999),
        GONE,
    )
    result = await moorage("events", "--since", "0", env={"TZ": "UTC"})
    time = "2026-01-02 03:04:05.678+00:00"
    assert result.lines == [
        f"2  {time}  000000000000 (web)  started",
        f"3  {time}  000000000000  exited: 137 (signal 9)",
        f"4  {time}  000000000000  start failed: cannot \\x1b[2J",
        f"5  {time}  000000000000  restart scheduled: attempt 2 at {time}",
        f"6  {time}  000000000000  999",
    ]
    assert (result.code, result.err) == (
        1,
        "moorage: cannot watch from revision 1 (REVISION_GONE)\n",
    )


async def test_json_is_one_message_a_line(moored: FakeMoored, moorage: Command) -> None:
    await moored.containers.news.add(event(2, event_pb2.EVENT_KIND_STARTED, name="wéb"), GONE)
    result = await moorage("events", "--json")
    assert json.loads(result.out) == {
        "revision": "2",
        "kind": "EVENT_KIND_STARTED",
        "container": f"{1:032x}",
        "name": "wéb",
        "time": "2026-01-02T03:04:05.678Z",
    }


async def test_since_and_filters_have_their_fields(moored: FakeMoored, moorage: Command) -> None:
    await moored.containers.news.add(GONE, GONE)
    await moorage("events", "--since", "7", "--filter", "name=web", "--filter", "label=a=b")
    await moorage("events")
    asked, plain = moored.script.requests["Watch"]
    wanted = wire.ContainerFilter(names=["web"], labels=["a=b"])
    assert asked == wire.WatchRequest(since_revision=7, filter=wanted)
    assert plain == wire.WatchRequest()


async def test_it_ends_when_it_is_interrupted(moored: FakeMoored, moorage: Command) -> None:
    await moored.containers.news.add(event(2, event_pb2.EVENT_KIND_STARTED))
    command = await moorage.begin("events")
    async with asyncio.timeout(WITHIN):
        assert command.stdout is not None
        assert (await command.stdout.readline()).startswith(b"2 ")
        command.send_signal(signal.SIGINT)
        await command.communicate()
    assert command.returncode == 130
