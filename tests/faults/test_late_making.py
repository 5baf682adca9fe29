"""What containerd makes after its caller gave up is found: it is not gone until that is sure."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from moored import errors
from moored.containerd.connection import Connection
from moored.containerd.containers import Containers
from moored.containerd.layers import Layers
from moored.containerd.values import ContainerRecord, Runtime

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.fakes.containerd import FakeContainerd

RECORD = ContainerRecord("web.1", "thing:1", "web", b"{}", Runtime("runc", "runc"), {})
SHORT = 0.2
"""Seconds that a call may take here."""
WITHIN = 20.0


@asynccontextmanager
async def _connected(fake: FakeContainerd) -> AsyncIterator[Connection]:
    made = Connection(str(fake.path), namespace="faults", call_limit=SHORT)
    try:
        yield made
    finally:
        await made.close()


async def test_a_record_that_comes_late_is_removed(fake: FakeContainerd) -> None:
    async with _connected(fake) as connection, _connected(fake) as late:
        containers = Containers(connection)
        with fake.hold("Containers.Create"), pytest.raises(errors.RuntimeUnreachable):
            await containers.create(RECORD)
        with pytest.raises(errors.RuntimeUnreachable, match="may still happen"):
            await containers.delete(RECORD.run)
        fake.forgive()
        await Containers(late).create(RECORD)
        assert await containers.delete(RECORD.run)
        assert not await containers.delete(RECORD.run)


async def test_a_layer_that_comes_late_is_removed(fake: FakeContainerd) -> None:
    async with _connected(fake) as connection, _connected(fake) as late:
        layers = Layers(connection)
        with fake.hold("Snapshots.Prepare"), pytest.raises(errors.RuntimeUnreachable):
            await layers.prepare("web", parent="", labels={})
        with pytest.raises(errors.RuntimeUnreachable, match="may still happen"):
            await layers.remove("web")
        fake.forgive()
        await Layers(late).prepare("web", parent="", labels={"containerd.io/gc.root": "now"})
        assert await layers.remove("web")
        assert not await layers.remove("web")


async def test_a_record_that_never_comes_is_gone_after_a_second_look(fake: FakeContainerd) -> None:
    async with _connected(fake) as connection:
        containers = Containers(connection)
        loop = asyncio.get_running_loop()
        with fake.hold("Containers.Create") as hold:
            creating = asyncio.ensure_future(containers.create(RECORD))
            await hold.reached()
            creating.cancel()
            with pytest.raises(asyncio.CancelledError):
                await creating
            await hold.left()
        began = loop.time()
        async with asyncio.timeout(WITHIN):
            while await _refused(containers):
                pass
        assert loop.time() - began >= SHORT


async def test_a_lost_connection_leaves_no_doubt(fake: FakeContainerd) -> None:
    async with _connected(fake) as connection:
        containers = Containers(connection)
        fake.lose("request", "Containers.Create")
        with pytest.raises(errors.RuntimeUnreachable):
            await containers.create(RECORD)
        assert not await containers.delete(RECORD.run)


async def _refused(containers: Containers) -> bool:
    try:
        assert not await containers.delete(RECORD.run)
    except errors.RuntimeUnreachable:
        return True
    return False
