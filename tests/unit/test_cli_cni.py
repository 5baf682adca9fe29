"""What the command's --network says of networks that plugins make."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from moorage.v1.container_pb2 import Bandwidth, ContainerSpec, NetworkAttachment
from moorage.v1.container_service_pb2 import NetworkFault
from tests.fakes.command import Command
from tests.fakes.service import FakeMoored

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

# gRPC's poller serves all loops of a process, and stumbles over events of one that is closed.
pytestmark = pytest.mark.asyncio(loop_scope="session")

GOOD: list[tuple[str, NetworkAttachment]] = [
    ("name=blue,alias=db,alias=sql", NetworkAttachment(name="blue", aliases=["db", "sql"])),
    (
        "name=blue,ingress=8M,egress=500k/1M",
        NetworkAttachment(
            name="blue",
            bandwidth=Bandwidth(
                ingress_rate=8_000_000,
                ingress_burst=8_000_000,
                egress_rate=500_000,
                egress_burst=1_000_000,
            ),
        ),
    ),
    ("name=blue,arg=A=b=c,arg=D=", NetworkAttachment(name="blue", cni_args={"A": "b=c", "D": ""})),
    (
        "name=blue,ip=10.9.0.9,ip6=fd00::9,mac=02:00:00:00:00:09",
        NetworkAttachment(
            name="blue", addresses=["10.9.0.9", "fd00::9"], mac_address="02:00:00:00:00:09"
        ),
    ),
]


@pytest_asyncio.fixture(loop_scope="session")
async def moored(tmp_path: Path) -> AsyncIterator[FakeMoored]:
    async with FakeMoored(tmp_path / "moored.sock") as fake:
        yield fake


@pytest.fixture
def moorage(moored: FakeMoored) -> Command:
    return Command(moored.address)


@pytest.mark.parametrize(("text", "asked"), GOOD, ids=[text for text, _ in GOOD])
async def test_each_word_has_its_field(
    moored: FakeMoored, moorage: Command, text: str, asked: NetworkAttachment
) -> None:
    result = await moorage("create", "--network", text, "busybox")
    assert (result.code, result.err) == (0, "")
    (request,) = moored.script.requests["Create"]
    assert list(request.spec.networks) == [asked]


BAD = [
    ("name=blue,ingress=fast", "'fast' must be a number of bits, such as 8M or 500k"),
    ("name=blue,ingress=8M,ingress=9M", "each once"),
    ("name=blue,arg=novalue", "'novalue' must be KEY=VALUE"),
    ("name=blue,speed=8M", "must be KEY=VALUE of name, ip, ip6, mac, ingress, egress, each once"),
]


@pytest.mark.parametrize(("text", "why"), BAD, ids=[text for text, _ in BAD])
async def test_a_word_that_means_nothing_is_refused_before_anybody_is_asked(
    moored: FakeMoored, moorage: Command, text: str, why: str
) -> None:
    result = await moorage("create", "--network", text, "busybox")
    assert result.code == 2
    assert why in " ".join(result.err.split())
    assert not moored.script.requests["Create"]


async def test_faults_of_networks_are_shown_to_those_who_ask(
    moored: FakeMoored, moorage: Command
) -> None:
    moored.containers.enrol(ContainerSpec(name="web"))
    moored.containers.network_faults.append(
        NetworkFault(network="blue", interface="eth0", reason="plugin 'bridge' failed CHECK")
    )
    asked = await moorage("inspect", "--check-networks", "web")
    assert asked.text.endswith("\neth0 in blue: plugin 'bridge' failed CHECK\n")
    assert "CHECK" not in (await moorage("inspect", "web")).text
