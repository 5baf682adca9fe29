"""Each method is one call: its keywords are the request's fields, its answer the response."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from moorage import Client
from moorage.v1 import container_service_pb2 as wire
from moorage.v1.container_pb2 import CONTAINER_STATE_RUNNING, ContainerSpec
from tests.fakes.service import FakeMoored

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

# gRPC's poller serves all loops of a process, and stumbles over events of one that is closed.
pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def moored(tmp_path: Path) -> AsyncIterator[FakeMoored]:
    async with FakeMoored(tmp_path / "moored.sock") as fake:
        yield fake


@pytest_asyncio.fixture(loop_scope="session")
async def client(moored: FakeMoored) -> AsyncIterator[Client]:
    async with Client(moored.address) as connected:
        yield connected


async def test_a_spec_is_started_as_it_was_written(moored: FakeMoored, client: Client) -> None:
    spec = ContainerSpec(image="busybox", args=["true"], stop_timeout=timedelta(seconds=2.5))
    started = await client.start(spec=spec)
    assert started.container.status.state == CONTAINER_STATE_RUNNING
    assert moored.script.requests["Start"] == [wire.StartRequest(spec=spec)]


async def test_a_container_is_started_by_reference(moored: FakeMoored, client: Client) -> None:
    created = await client.create(ContainerSpec(image="busybox", name="web"))
    started = await client.start("web", checkpoint="c", checkpoint_directory="/d", request_id="r")
    assert started.container.id == created.container.id
    assert moored.script.requests["Start"] == [
        wire.StartRequest(
            container="web", checkpoint="c", checkpoint_directory="/d", request_id="r"
        )
    ]


@pytest.mark.parametrize("both", [False, True])
async def test_a_start_of_both_or_none_is_a_mistake(client: Client, both: bool) -> None:
    with pytest.raises(ValueError, match="cannot start: give either a container or a spec"):
        await client.start("web" if both else None, spec=ContainerSpec() if both else None)


async def test_inspect_answers_with_the_whole_picture(moored: FakeMoored, client: Client) -> None:
    running = await moored.running(name="web")
    assert (await client.inspect("web")).container == running


async def test_all_pages_of_a_list_are_turned(moored: FakeMoored, client: Client) -> None:
    for number in range(5):
        await moored.running(name=f"c{number}")
    names = [container.name async for container in client.list_all(page_size=2)]
    assert names == ["c0", "c1", "c2", "c3", "c4"]
    assert [request.page_token for request in moored.script.requests["List"]] == ["", "2", "4"]


async def test_stop_sends_its_grace_as_the_timeout(moored: FakeMoored, client: Client) -> None:
    running = await moored.running()
    await client.stop(running.id, signal="INT", grace=timedelta(milliseconds=1500))
    (asked,) = moored.script.requests["Stop"]
    assert asked == wire.StopRequest(
        container=running.id, signal="INT", timeout=timedelta(milliseconds=1500)
    )


async def test_stop_without_grace_leaves_it_to_the_spec(moored: FakeMoored, client: Client) -> None:
    running = await moored.running()
    await client.stop(running.id)
    assert not moored.script.requests["Stop"][0].HasField("timeout")


async def test_a_grace_of_nothing_is_sent_as_such(moored: FakeMoored, client: Client) -> None:
    running = await moored.running()
    stopped = await client.stop(running.id, grace=timedelta())
    assert moored.script.requests["Stop"][0].HasField("timeout")
    assert stopped.container.status.exit.code == 137


async def test_one_wait_answers_unreached_after_its_limit(
    moored: FakeMoored, client: Client
) -> None:
    running = await moored.running()
    answer = await client.wait(running.id, limit=timedelta(milliseconds=1))
    assert not answer.reached
    assert answer.container == running


async def test_cleanup_sends_what_it_was_told(moored: FakeMoored, client: Client) -> None:
    running = await moored.running()
    answer = await client.cleanup(running.id, force=True, remove=True, remove_volumes=True)
    assert answer.complete
    assert moored.script.requests["Cleanup"] == [
        wire.CleanupRequest(container=running.id, force=True, remove=True, remove_volumes=True)
    ]


async def test_logs_are_followed_until_the_run_has_ended(
    moored: FakeMoored, client: Client
) -> None:
    running = await moored.running()
    process = moored.process(running)
    await process.write(b"one")
    pieces = client.logs(running.id, follow=True)
    assert (await anext(pieces)).data == b"one"
    await process.write(b"two", stderr=True)
    second = await anext(pieces)
    assert (second.data, second.stream) == (b"two", wire.LOG_STREAM_STDERR)
    await process.end()
    with pytest.raises(StopAsyncIteration):
        await anext(pieces)


async def test_logs_ask_for_the_part_that_is_wanted(moored: FakeMoored, client: Client) -> None:
    running = await moored.running()
    since = datetime(2026, 1, 1, tzinfo=UTC)
    pieces = client.logs(
        running.id,
        streams=[wire.LOG_STREAM_STDERR],
        since=since,
        tail=0,
        format=wire.LOG_FORMAT_LINES,
        run=3,
    )
    assert [piece async for piece in pieces] == []
    (asked,) = moored.script.requests["Logs"]
    assert asked.HasField("tail")
    assert asked == wire.LogsRequest(
        container=running.id,
        streams=[wire.LOG_STREAM_STDERR],
        since=since,
        tail=0,
        format=wire.LOG_FORMAT_LINES,
        run=3,
    )


async def test_closing_the_logs_ends_their_call(moored: FakeMoored, client: Client) -> None:
    running = await moored.running()
    await moored.process(running).write(b"one")
    pieces = client.logs(running.id, follow=True)
    await anext(pieces)
    await pieces.aclose()
    assert (await client.inspect(running.id)).container == running


async def test_the_server_and_its_images_are_told(moored: FakeMoored, client: Client) -> None:
    assert (await client.server_info()).version == "1.2.3"
    assert not (await client.list_images()).images
    await client.remove_image("busybox")
    assert moored.script.requests["RemoveImage"][0].image == "busybox"


async def test_metadata_and_timeout_reach_the_server(moored: FakeMoored, client: Client) -> None:
    await client.server_info(timeout=7.0, metadata=[("x-caller", "tests")])
    assert moored.script.metadata["GetServerInfo"]["x-caller"] == "tests"
    left = moored.script.deadlines["GetServerInfo"]
    assert left is not None
    assert 0 < left < 8


@pytest.mark.parametrize(("own", "most"), [(None, 30.0), (3.0, 3.0)])
async def test_every_read_has_a_deadline(
    moored: FakeMoored, own: float | None, most: float
) -> None:
    async with Client(moored.address, timeout=own) as client:
        await client.list_images()
    left = moored.script.deadlines["ListImages"]
    assert left is not None
    assert 0 < left < most + 1


async def test_a_client_may_wait_for_its_server(tmp_path: Path) -> None:
    fake = FakeMoored(tmp_path / "moored.sock")
    async with Client(fake.address) as client:
        answer = asyncio.create_task(client.server_info(wait_for_ready=True))
        await client.channel.wait_for_state_change(client.channel.get_state(try_to_connect=True))
        async with fake:
            assert (await answer).version == "1.2.3"


async def test_the_generated_stubs_stay_in_reach(moored: FakeMoored, client: Client) -> None:
    running = await moored.running()
    call = client.containers.Inspect(wire.InspectRequest(container=running.id))
    assert (await call).container == running
    assert (await call.code()).name == "OK"


async def test_a_call_that_is_cancelled_raises_cancelled(
    moored: FakeMoored, client: Client
) -> None:
    hold = moored.script.hold("Start")
    start = asyncio.create_task(client.start(spec=ContainerSpec(image="busybox")))
    await hold.entered.wait()
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
