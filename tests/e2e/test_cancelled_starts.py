"""A caller that goes away at any moment leaves a running container or none."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import TYPE_CHECKING

import grpc.aio
import pytest

from moorage.v1 import container_service_pb2
from tests.real.agreement import assert_agreement, ledger_resources, settled_container
from tests.real.specs import sleeper
from tests.real.wire import CALL_WITHIN, Wire

if TYPE_CHECKING:
    from tests.real.moored import Moored
    from tests.real.site import Site

pytestmark = pytest.mark.real

AT_A_TIME = 3
LATEST = 0.25
"""Seconds: starts take about half of that."""
SEED = 20


@pytest.mark.parametrize("number", [30, pytest.param(200, marks=pytest.mark.soak)])
async def test_a_start_cancelled_at_a_random_moment_ends_as_a_container_or_as_none(
    site: Site, own_moored: Moored, own_wire: Wire, number: int
) -> None:
    before = site.look()
    # A fixed seed: the moments are the same each time, what they meet is not.
    moments = random.Random(SEED)
    verdicts = Counter[str]()
    for start in range(0, number, AT_A_TIME):
        names = [f"cancelled-{start + offset}" for offset in range(AT_A_TIME)]
        await asyncio.gather(
            *(_start_and_cancel(own_wire, name, _moment(moments)) for name in names)
        )
        for name in names:
            verdicts[await _verdict(site, own_moored, own_wire, name)] += 1
    # A cancel may overtake its own request: a start that nobody had seen yet shows up late.
    while late := await own_wire.list():
        for container in late:
            verdicts[await _verdict(site, own_moored, own_wire, container.id)] += 1
    print(f"{number} starts cancelled: {dict(verdicts)}")
    assert site.changes_since(before) == []
    assert ledger_resources(own_moored) == set()


def _moment(moments: random.Random) -> float:
    """Return a moment of the start, more often an early one: there a cancel still counts."""
    return LATEST * moments.random() ** 3


async def _start_and_cancel(wire: Wire, name: str, moment: float) -> None:
    request = container_service_pb2.StartRequest(spec=sleeper(name=name))
    call = wire.containers.Start(request, timeout=CALL_WITHIN)
    asyncio.get_running_loop().call_later(moment, call.cancel)
    try:
        await call
    except asyncio.CancelledError:
        return
    except grpc.aio.AioRpcError as error:
        raise AssertionError("a start that nobody hindered failed") from error


async def _verdict(site: Site, moored: Moored, wire: Wire, name: str) -> str:
    container = await settled_container(wire, name)
    if container is None:
        return "none"
    runs = assert_agreement(container, moored, site.containerd)
    await wire.remove(container.id)
    return "running" if runs else "recorded"
