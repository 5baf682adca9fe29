"""Containers come and go on the bridge, eight at a time, each with a published port and a volume:
nothing stays, and no address runs out.

The subnet has room for thirteen. A selection runs with all tests; ``make long`` runs the whole.
"""

from __future__ import annotations

import asyncio
import ipaddress
from typing import TYPE_CHECKING, Final

import pytest

from moorage.v1.container_pb2 import MOUNT_TYPE_VOLUME, Mount, PortMapping
from moorage.v1.container_service_pb2 import CleanupRequest
from moorage.v1.volume_service_pb2 import VolumeServiceListRequest
from tests.outside import processes
from tests.real.agreement import ledger_resources
from tests.real.networking import ip, only
from tests.real.specs import sleeper
from tests.real.wire import CALL_WITHIN, Wire

if TYPE_CHECKING:
    from tests.real.moored import Moored
    from tests.real.site import Site

pytestmark = pytest.mark.real

AT_ONCE: Final = 8
PREFIX: Final = 28
USABLE: Final = 13


@pytest.mark.parametrize(
    "cycles", [24, pytest.param(300, marks=[pytest.mark.soak, pytest.mark.timeout(1200)])]
)
async def test_of_many_containers_on_a_small_subnet_nothing_stays(site: Site, cycles: int) -> None:
    daemon = site.start_moored({"bridge_subnet": str(site.subnet(PREFIX))})
    before = site.look()
    async with Wire(daemon.address) as wire:
        await _cycle(wire)  # what is opened once is open
        open_before = processes.descriptors(daemon.pid)
        given = await _all(wire, cycles)
        assert len(given) == cycles
        assert len(set(given)) == USABLE
        assert processes.descriptors(daemon.pid) <= open_before + AT_ONCE
        assert await wire.list() == []
        listed = await wire.volumes.List(VolumeServiceListRequest(), timeout=CALL_WITHIN)
        assert list(listed.volumes) == []
    assert ledger_resources(daemon) == set()
    assert site.changes_since(before) == []
    _assert_forgotten(daemon)
    daemon.stop()


async def _all(wire: Wire, cycles: int) -> list[str]:
    """Return the addresses that were given, in cycles of which some are under way at a time."""
    left = iter(range(cycles))

    async def one_after_the_other() -> list[str]:
        return [await _cycle(wire) for _ in left]

    several = await asyncio.gather(*(one_after_the_other() for _ in range(AT_ONCE)))
    return [address for given in several for address in given]


async def _cycle(wire: Wire) -> str:
    container = await wire.run(
        sleeper(
            network="bridge",
            ports=[PortMapping(container_port=80)],
            mounts=[Mount(type=MOUNT_TYPE_VOLUME, destination="/data")],
        )
    )
    try:
        assert only(container).ports[0].host_port
        (link,) = ip("addr", "show", "eth0", inside=container.status.pid)
        own = {
            f"{a['local']}/{a['prefixlen']}" for a in link["addr_info"] if a["scope"] == "global"
        }
        assert own == set(only(container).addresses)
        return only(container).addresses[0]
    finally:
        request = CleanupRequest(
            container=container.id, force=True, remove=True, remove_volumes=True
        )
        assert (await wire.containers.Cleanup(request, timeout=CALL_WITHIN)).complete


def _assert_forgotten(daemon: Moored) -> None:
    """No route and no neighbour of the subnet is left on this host."""
    subnet = ipaddress.ip_network(daemon.setting("bridge_subnet"))
    known = [entry["dst"] for entry in (*ip("route"), *ip("neigh")) if entry["dst"] != "default"]
    assert not [text for text in known if ipaddress.ip_network(text).overlaps(subnet)]
