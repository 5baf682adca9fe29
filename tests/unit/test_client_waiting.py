"""A long wait is many short calls, and outlives a restart of moored as containers do."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from moorage import Client, errors, waiting
from moorage.v1 import container_service_pb2 as wire
from tests.fakes.service import FakeMoored

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

A_WHILE = timedelta(seconds=30)

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


async def test_the_exit_ends_the_wait(moored: FakeMoored, client: Client) -> None:
    running = await moored.running()
    wait = asyncio.create_task(client.wait_exited(running.id))
    asked = await moored.script.asked("Wait")
    assert asked.timeout.ToTimedelta() == timedelta(seconds=waiting.PIECE)
    await moored.containers.exit(running.id, 3)
    assert (await wait).status.exit.code == 3


async def test_a_piece_that_ends_unreached_is_followed_by_another(
    moored: FakeMoored, client: Client
) -> None:
    running = await moored.running()
    moored.containers.longest_wait = timedelta(milliseconds=1)
    wait = asyncio.create_task(client.wait_exited(running.id))
    await moored.script.asked("Wait", times=3)
    await moored.containers.exit(running.id, 0)
    assert (await wait).status.exit.code == 0


async def test_a_wait_is_over_after_its_limit(moored: FakeMoored, client: Client) -> None:
    running = await moored.running()
    limit = timedelta(milliseconds=20)
    answer = await client.wait_until(running.id, wire.WAIT_CONDITION_EXITED, limit=limit)
    assert not answer.reached
    assert all(asked.timeout.ToTimedelta() <= limit for asked in moored.script.requests["Wait"])


async def test_a_wait_goes_on_once_moored_is_back(moored: FakeMoored, client: Client) -> None:
    running = await moored.running()
    wait = asyncio.create_task(client.wait_exited(running.id, patience=A_WHILE))
    await moored.script.asked("Wait")
    await moored.vanish()
    await moored.serve()
    await moored.script.asked("Wait", times=2)
    await moored.containers.exit(running.id, 7)
    assert (await wait).status.exit.code == 7


async def test_patience_comes_to_an_end(moored: FakeMoored, client: Client) -> None:
    await moored.vanish()
    with pytest.raises(errors.Unreachable):
        await client.wait_exited("web", patience=timedelta(milliseconds=50))


async def test_without_patience_the_first_loss_is_raised(
    moored: FakeMoored, client: Client
) -> None:
    running = await moored.running()
    wait = asyncio.create_task(client.wait_exited(running.id))
    await moored.script.asked("Wait")
    await moored.vanish()
    with pytest.raises(errors.Unreachable):
        await wait


async def test_a_refusal_is_raised_at_once(client: Client) -> None:
    with pytest.raises(errors.ContainerNotFound):
        await client.wait_exited("nobody", patience=A_WHILE)


async def test_an_answer_renews_patience() -> None:
    patience = waiting.Patience(0.0)
    assert not await patience.pause()
    patience.renew()
    assert not await patience.pause()
