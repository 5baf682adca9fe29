"""``stats`` shows what containers use, in a row each, and what is not known as such."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from moorage.v1 import container_service_pb2 as wire
from moorage.v1 import stats_pb2
from tests.fakes.command import Command
from tests.fakes.service import FakeMoored

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def moored(tmp_path: Path) -> AsyncIterator[FakeMoored]:
    async with FakeMoored(tmp_path / "moored.sock") as fake:
        yield fake


def sample(processors: float | None) -> wire.StatsResponse:
    full = stats_pb2.ContainerStats(
        container=f"{1:032x}",
        name="web",
        cpu=stats_pb2.CpuStats(processors=processors),
        memory=stats_pb2.MemoryStats(usage=9 << 20, working_set=3 << 20, limit=64 << 20),
        io=stats_pb2.IoStats(read_bytes=2048, write_bytes=10),
        pids=stats_pb2.PidsStats(current=4),
        interfaces=[
            stats_pb2.InterfaceStats(name="eth0", received_bytes=1 << 20, sent_bytes=5),
            stats_pb2.InterfaceStats(name="eth1", received_bytes=1 << 20, sent_bytes=5),
        ],
    )
    return wire.StatsResponse(containers=[full, stats_pb2.ContainerStats(container=f"{2:032x}")])


async def test_a_pipe_gets_one_table_with_the_use_of_processors(moored: FakeMoored) -> None:
    moored.containers.stats = [sample(None), sample(0.5), sample(0.9)]
    done = await Command(moored.address)("stats")
    assert done.code == 0
    assert [line.split() for line in done.text.splitlines()] == [
        ["ID", "NAME", "CPU", "MEMORY", "LIMIT", "PIDS", "RECEIVED", "SENT", "READ", "WRITTEN"],
        [
            "000000000000",
            "web",
            "50.00%",
            "3.0",
            "MiB",
            "64.0",
            "MiB",
            "4",
            "2.0",
            "MiB",
            "10",
            "B",
            "2.0",
            "KiB",
            "10",
            "B",
        ],
        ["000000000000", "-", "-", "-", "-", "0", "B", "0", "B", "-", "-"],
    ]


async def test_json_is_the_servers_message_on_a_line(moored: FakeMoored) -> None:
    moored.containers.stats = [sample(None), sample(0.5), sample(0.75)]
    done = await Command(moored.address)("stats", "--json", "web")
    used = [json.loads(line)["containers"][0]["cpu"]["processors"] for line in done.lines]
    assert used == [0.5, 0.75]
