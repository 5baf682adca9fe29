"""Each change of a container is one call: its keywords are the request's fields."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import grpc
import pytest

from moorage import Client, errors
from moorage.v1 import container_pb2
from moorage.v1 import container_service_pb2 as wire
from tests.fakes.service import FakeMoored, Refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def moored(tmp_path: Path) -> AsyncIterator[FakeMoored]:
    async with FakeMoored(tmp_path / "moored.sock") as fake:
        yield fake


@pytest.fixture
async def client(moored: FakeMoored) -> AsyncIterator[Client]:
    async with Client(moored.address) as connected:
        yield connected


async def test_pause_and_resume_name_the_container(moored: FakeMoored, client: Client) -> None:
    running = await moored.running(name="web")
    assert (await client.pause("web", request_id="r", etag="1")).container == running
    assert (await client.resume("web", request_id="s", etag="2")).container == running
    assert moored.script.requests["Pause"] == [
        wire.PauseRequest(container="web", request_id="r", etag="1")
    ]
    assert moored.script.requests["Resume"] == [
        wire.ResumeRequest(container="web", request_id="s", etag="2")
    ]


async def test_kill_leaves_the_signal_to_the_server_unless_told(
    moored: FakeMoored, client: Client
) -> None:
    await moored.running(name="web")
    await client.kill("web")
    await client.kill("web", signal="HUP", request_id="r", etag="1")
    assert moored.script.requests["Kill"] == [
        wire.KillRequest(container="web"),
        wire.KillRequest(container="web", signal="HUP", request_id="r", etag="1"),
    ]


async def test_restart_sends_its_grace_as_the_timeout(moored: FakeMoored, client: Client) -> None:
    await moored.running(name="web")
    await client.restart("web", signal="INT", grace=timedelta(seconds=2), request_id="r", etag="1")
    assert moored.script.requests["Restart"] == [
        wire.RestartRequest(
            container="web", signal="INT", timeout=timedelta(seconds=2), request_id="r", etag="1"
        )
    ]


async def test_rename_says_both_names(moored: FakeMoored, client: Client) -> None:
    await moored.running(name="web")
    await client.rename("web", "site", etag="1")
    assert moored.script.requests["Rename"] == [
        wire.RenameRequest(container="web", new_name="site", etag="1")
    ]


async def test_update_names_the_fields_that_change(moored: FakeMoored, client: Client) -> None:
    await moored.running(name="web")
    spec = container_pb2.ContainerSpec(labels={"a": "b"})
    await client.update("web", spec, ("labels", "auto_remove"), request_id="r")
    (asked,) = moored.script.requests["Update"]
    assert asked.spec == spec
    assert list(asked.update_mask.paths) == ["labels", "auto_remove"]
    assert asked.request_id == "r"


async def test_prune_and_list_send_the_filter(moored: FakeMoored, client: Client) -> None:
    running = await moored.running(name="web")
    moored.containers.pruned.removed.append(running.id)
    chosen = wire.ContainerFilter(names=["web"], since_revision=7)
    assert list((await client.prune(filter=chosen)).removed) == [running.id]
    assert [container async for container in client.list_all(filter=chosen)] == [running]
    assert moored.script.requests["Prune"] == [wire.PruneRequest(filter=chosen)]
    assert moored.script.requests["List"][0].filter == chosen


async def test_an_etag_that_is_old_says_which_is_new(moored: FakeMoored, client: Client) -> None:
    refusal = Refusal(grpc.StatusCode.ABORTED, "ETAG_MISMATCH", "cannot stop", {"etag": "3"})
    moored.script.refuse("Stop", refusal)
    with pytest.raises(errors.EtagMismatch) as caught:
        await client.stop("web", etag="2")
    assert caught.value.metadata["etag"] == "3"
    assert moored.script.requests["Stop"][0].etag == "2"
