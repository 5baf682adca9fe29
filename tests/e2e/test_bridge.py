"""On the bridge traffic really flows, and what ``ip`` and /proc say is what Inspect says."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.real.specs import sleeper

if TYPE_CHECKING:
    from tests.real.moored import Moored
    from tests.real.wire import Wire

pytestmark = pytest.mark.real

_WITHIN: Final = 10.0


def ip(*words: str, inside: int | None = None) -> Any:
    """Return what ``ip`` says, in the host or in the network of a process."""
    enter = ["nsenter", f"--net=/proc/{inside}/ns/net"] if inside else []
    command = [*enter, "ip", "-json", *words]
    done = subprocess.run(command, capture_output=True, timeout=_WITHIN, check=True)
    return json.loads(done.stdout or b"[]")


async def test_a_container_has_the_interface_that_inspect_shows(wire: Wire, moored: Moored) -> None:
    async with wire.running(sleeper(network="bridge")) as container:
        (network,) = container.status.networks
        (link,) = ip("-d", "addr", "show", "eth0", inside=container.status.pid)
        assert network.name == "bridge"
        assert network.interface == "eth0"
        assert link["address"] == network.mac_address
        assert link["operstate"] == "UP"
        found = {
            f"{a['local']}/{a['prefixlen']}" for a in link["addr_info"] if a["scope"] == "global"
        }
        assert found == set(network.addresses)
        routes = ip("route", inside=container.status.pid) + ip(
            "-6", "route", inside=container.status.pid
        )
        assert {r["gateway"] for r in routes if r["dst"] == "default"} == set(network.gateways)
