"""A watch goes on where it stood, whatever ended its stream, as long as there is patience."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from moorage import Client, errors
from moorage.v1 import container_service_pb2 as wire
from moorage.v1.container_pb2 import Container
from moorage.v1.event_pb2 import Event
from tests.fakes.service import FakeMoored, Refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

A_WHILE = timedelta(seconds=30)
TOO_SLOW = Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "WATCHER_TOO_SLOW", "cannot watch on")
DRAINING = Refusal(grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN", "cannot watch on")
GONE = Refusal(grpc.StatusCode.OUT_OF_RANGE, "REVISION_GONE", "cannot watch", {"oldest": "9"})


@pytest.fixture
async def moored(tmp_path: Path) -> AsyncIterator[FakeMoored]:
    async with FakeMoored(tmp_path / "moored.sock") as fake:
        yield fake


@pytest.fixture
async def client(moored: FakeMoored) -> AsyncIterator[Client]:
    async with Client(moored.address) as connected:
        yield connected


def event(revision: int) -> wire.WatchResponse:
    return wire.WatchResponse(event=Event(revision=revision))


def beat(revision: int) -> wire.WatchResponse:
    return wire.WatchResponse(heartbeat=wire.WatchResponse.Heartbeat(revision=revision))


async def first(client: Client, number: int, **asked: Any) -> list[wire.WatchResponse]:
    async with asyncio.timeout(20), aclosing(client.watch(**asked)) as items:
        return [await anext(items) for _ in range(number)]


async def test_every_keyword_has_its_field(moored: FakeMoored, client: Client) -> None:
    await moored.containers.news.add(event(8))
    wanted = wire.ContainerFilter(names=["web"])
    assert await first(client, 1, since=7, filter=wanted) == [event(8)]
    assert moored.script.requests["Watch"] == [wire.WatchRequest(since_revision=7, filter=wanted)]


async def test_from_now_and_from_the_first_revision_are_not_the_same(
    moored: FakeMoored, client: Client
) -> None:
    await moored.containers.news.add(event(1))
    await first(client, 1)
    await first(client, 1, since=0)
    now, ever = moored.script.requests["Watch"]
    assert not now.HasField("since_revision")
    assert ever.HasField("since_revision")


@pytest.mark.parametrize("ending", [TOO_SLOW, DRAINING], ids=lambda ending: ending.reason)
async def test_a_stream_that_was_cut_off_goes_on_after_the_last_event(
    moored: FakeMoored, client: Client, ending: Refusal
) -> None:
    await moored.containers.news.add(event(1), event(2), ending, event(3))
    assert await first(client, 3, patience=A_WHILE) == [event(1), event(2), event(3)]
    assert moored.script.requests["Watch"][1] == wire.WatchRequest(
        since_revision=2, filter=wire.ContainerFilter()
    )


async def test_a_stream_goes_on_after_a_restart_of_moored(
    moored: FakeMoored, client: Client
) -> None:
    await moored.containers.news.add(event(1))
    items = client.watch(patience=A_WHILE)
    async with asyncio.timeout(20), aclosing(items):
        assert await anext(items) == event(1)
        coming = asyncio.ensure_future(anext(items))
        await moored.vanish()
        await moored.containers.news.add(event(2))
        await moored.serve()
        assert await coming == event(2)


async def test_a_heartbeat_is_a_place_to_go_on_from(moored: FakeMoored, client: Client) -> None:
    await moored.containers.news.add(beat(5), TOO_SLOW, event(6))
    await first(client, 2, patience=A_WHILE)
    assert moored.script.requests["Watch"][1].since_revision == 5


async def test_after_its_snapshot_a_stream_goes_on_with_events_and_before_its_end_anew(
    moored: FakeMoored, client: Client
) -> None:
    shown = wire.WatchResponse(snapshot=Container(id="a"))
    end = wire.WatchResponse(snapshot_end=wire.WatchResponse.SnapshotEnd(revision=5))
    await moored.containers.news.add(shown, TOO_SLOW, end, TOO_SLOW, event(6))
    items = await first(client, 6, snapshot=True, patience=A_WHILE)
    assert [item.WhichOneof("item") for item in items][:4] == [
        *("snapshot", "snapshot", "snapshot_end", "snapshot")
    ]
    asked = moored.script.requests["Watch"]
    assert [request.snapshot for request in asked] == [True, True, False]
    assert asked[2].since_revision == 5


async def test_without_patience_the_error_is_the_callers(
    moored: FakeMoored, client: Client
) -> None:
    await moored.containers.news.add(event(1), TOO_SLOW)
    with pytest.raises(errors.WatcherTooSlow):
        await first(client, 2)


async def test_what_no_patience_helps_is_raised_at_once(moored: FakeMoored, client: Client) -> None:
    await moored.containers.news.add(event(1), GONE)
    with pytest.raises(errors.RevisionGone) as caught:
        await first(client, 2, patience=A_WHILE)
    assert caught.value.metadata["oldest"] == "9"
