"""containerd is replaced by a newer one under running containers, on the same directories.

They go on under the shims that they have; what they end with is true; they can be started, now on
the newer one's shims; and cleaned up, with nothing left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from moorage.v1 import container_pb2
from tests.outside import processes
from tests.real.agreement import assert_agreement, ledger_resources, released
from tests.real.specs import OBEYS, shell, sleeper
from tests.real.wire import Wire
from tools.containerds import programs

if TYPE_CHECKING:
    from tests.real.moored import Moored
    from tests.real.site import Site

pytestmark = [pytest.mark.real, pytest.mark.soak]

RUNNING = container_pb2.CONTAINER_STATE_RUNNING


@pytest.mark.parametrize(
    ("older", "newer"),
    [("", "1.7"), ("", "2.1"), ("1.7", "2.1")],
    ids=lambda name: name or "system",
)
async def test_containers_go_on_through_an_upgrade(own_site: Site, older: str, newer: str) -> None:
    if older:
        _replace(own_site, older)
    daemon = own_site.start_moored()
    before = own_site.look()
    async with Wire(daemon.address) as wire:
        stays = await wire.run(sleeper(name="stays"))
        obeys = await wire.run(shell(OBEYS, name="obeys"))
        ended = await wire.run(shell("exit 3", name="ended"))
        await wire.until_printed(obeys.id, "ready")
        await released(await wire.wait(ended.id), daemon)
        _replace(own_site, newer)
        await _assert_served(own_site, daemon, wire, newer)
        # The shim that was there, by the newer containerd.
        found = await wire.inspect("stays")
        assert (found.status.state, found.status.pid) == (RUNNING, stays.status.pid)
        assert processes.is_alive(stays.status.pid)
        assert assert_agreement(found, daemon, own_site.containerd)
        assert (await wire.stop("obeys")).container.status.exit.code == 7
        assert (await wire.inspect("ended")).status.exit.code == 3
        # Shims of its own.
        for name, run in (("obeys", 2), ("ended", 2)):
            assert (await wire.start(name)).container.status.run == run
        assert (await wire.wait("ended")).status.exit.code == 3
        again = await wire.run(sleeper(name="again"))
        assert assert_agreement(again, daemon, own_site.containerd)
        for name in ("stays", "obeys", "ended", "again"):
            await wire.remove(name)
    assert own_site.changes_since(before) == []
    assert ledger_resources(daemon) == set()


def _replace(site: Site, series: str) -> None:
    site.containerd.stop()
    site.containerd.programs = programs(series)
    site.containerd.start()


async def _assert_served(site: Site, moored: Moored, wire: Wire, series: str) -> None:
    """moored goes on, and one that is started only now sees which containerd it has."""
    assert (await wire.inspect("stays")).status.state == RUNNING
    moored.restart()
    assert (await wire.server()).containerd.version.startswith(f"{series}.")
