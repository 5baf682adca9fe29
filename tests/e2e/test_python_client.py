"""The Python client: each method is one call on the real thing, each error a class."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import grpc
import pytest

from moorage import Client, errors
from moorage.v1 import container_pb2
from moorage.v1 import container_service_pb2 as wire
from tests.real.specs import OBEYS, shell, sleeper

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.real.moored import Moored

pytestmark = pytest.mark.real


@pytest.fixture
async def client(moored: Moored) -> AsyncIterator[Client]:
    async with Client(moored.address) as connected:
        yield connected


async def test_a_container_from_create_to_removal(client: Client) -> None:
    created = (await client.create(shell("echo ahoy; exit 6", name="by-client"))).container
    started = await client.start("by-client")
    exited = await client.wait_exited(created.id)
    printed = b"".join([part.data async for part in client.logs(created.id)])
    inspected = (await client.inspect(created.id[:12])).container
    everybody = [container.id async for container in client.list_all(page_size=1)]
    stopped = await client.stop(created.id)
    cleaned = await client.cleanup(created.id, remove=True)
    assert started.container.status.run == 1
    assert exited.status.exit.code == 6
    assert printed == b"ahoy\n"
    assert inspected.id == created.id
    assert created.id in everybody
    assert stopped.already_stopped
    assert cleaned.complete
    with pytest.raises(errors.ContainerNotFound) as raised:
        await client.inspect(created.id)
    assert raised.value.code is grpc.StatusCode.NOT_FOUND
    assert raised.value.reason == "CONTAINER_NOT_FOUND"


async def test_start_with_a_spec_and_stop_with_a_grace(client: Client) -> None:
    container = (await client.start(spec=shell(OBEYS))).container
    parts = client.logs(container.id, follow=True, format=wire.LOG_FORMAT_LINES)
    async for part in parts:
        if part.line == "ready":
            break
    await parts.aclose()
    stopped = await client.stop(container.id, grace=timedelta(seconds=10))
    await client.cleanup(container.id, remove=True)
    assert stopped.container.status.exit.code == 7


async def test_a_wait_tells_whether_it_was_reached(client: Client) -> None:
    container = (await client.start(spec=sleeper())).container
    waited = await client.wait(container.id, limit=timedelta(milliseconds=50))
    running = await client.wait_until(container.id, wire.WAIT_CONDITION_RUNNING)
    await client.cleanup(container.id, force=True, remove=True)
    assert (waited.reached, running.reached) == (False, True)


async def test_a_wait_goes_on_through_a_restart_of_moored(own_moored: Moored) -> None:
    async with Client(own_moored.address) as client:
        container = (await client.start(spec=shell(OBEYS))).container
        waiting = asyncio.create_task(
            client.wait_exited(container.id, patience=timedelta(seconds=60))
        )
        await client.inspect(container.id)
        await asyncio.to_thread(own_moored.restart)
        await client.stop(container.id, wait_for_ready=True)
        assert (await waiting).status.exit.origin != container_pb2.EXIT_ORIGIN_UNSPECIFIED
        await client.cleanup(container.id, remove=True)


async def test_every_refusal_is_a_class_with_its_facts(client: Client) -> None:
    with pytest.raises(errors.ImageNotFound):
        await client.start(spec=container_pb2.ContainerSpec(image="no/such:image"))
    with pytest.raises(errors.InvalidField) as invalid:
        await client.create(sleeper(working_dir="etc"))
    assert [violation.field for violation in invalid.value.violations] == ["spec.working_dir"]
    with pytest.raises(errors.NetworkUnknown):
        await client.create(sleeper(network="nowhere"))
    with pytest.raises(errors.CheckpointNotEnabled):
        await client.start("nobody", checkpoint="one")
    with pytest.raises(errors.HostNetworkNotAllowed):
        await client.create(sleeper(network="host"))
    with pytest.raises(errors.RuntimeUnknown):
        await client.create(sleeper(runtime="no-such"))
    created = (await client.create(sleeper(name="held"))).container
    with pytest.raises(errors.NameTaken) as taken:
        await client.create(sleeper(name="held"))
    await client.cleanup(created.id, remove=True)
    assert taken.value.metadata["container"] == created.id


async def test_a_command_that_is_not_there_is_told_as_such(client: Client) -> None:
    spec = container_pb2.ContainerSpec(image="busybox", command=["/no/such"], auto_remove=True)
    with pytest.raises(errors.CommandNotFound) as raised:
        await client.start(spec=spec)
    assert raised.value.metadata["step"] == "spec"
    assert not raised.value.retriable


async def test_images_are_imported_listed_and_removed(client: Client, archive: Path) -> None:
    imported = await client.import_image(_pieces(archive), name="by/client:1")
    listed = await client.list_images()
    await client.remove_image("by/client:1")
    assert [image.name for image in imported.images] == ["docker.io/by/client:1"]
    assert "docker.io/by/client:1" in {image.name for image in listed.images}
    with pytest.raises(errors.ImageNotFound):
        await client.remove_image("by/client:1")


async def test_the_server_tells_what_it_is(client: Client, moored: Moored) -> None:
    assert (await client.server_info()).instance == moored.instance


async def test_nobody_there_is_unreachable_and_retriable(tmp_path: Path) -> None:
    async with Client(f"unix://{tmp_path}/nobody.sock") as client:
        with pytest.raises(errors.Unreachable) as raised:
            await client.inspect("x", timeout=2)
    assert raised.value.retriable


async def test_a_deadline_that_passes_is_told_as_such(client: Client) -> None:
    container = (await client.start(spec=sleeper())).container
    with pytest.raises(errors.DeadlinePassed):
        await client.wait(container.id, limit=timedelta(seconds=30), timeout=0.2)
    await client.cleanup(container.id, force=True, remove=True)


def _pieces(archive: Path) -> list[bytes]:
    content = archive.read_bytes()
    return [content[start : start + 100_000] for start in range(0, len(content), 100_000)]
