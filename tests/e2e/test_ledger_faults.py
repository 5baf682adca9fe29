"""The ledger's disk is full or cannot be written to, or moored dies in a commit: nothing is lost.

The disk is a filesystem of the test's own. Reads go on; changes say why they cannot be made; what
happened meanwhile is on record as soon as there is room, without a restart.
"""

from __future__ import annotations

import asyncio
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pytest

from moorage.v1 import container_pb2
from tests.outside import processes
from tests.real.agreement import assert_agreement, settled_container
from tests.real.offline import moored as run
from tests.real.specs import OBEYS, shell, sleeper
from tests.real.wire import Wire, refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.real.moored import Moored
    from tests.real.site import Site

pytestmark = pytest.mark.real

WITHIN: Final = 60.0
SIZE: Final = 16 << 20
RUNNING = container_pb2.CONTAINER_STATE_RUNNING


@contextmanager
def on_a_disk_of_its_own(site: Site) -> Iterator[Moored]:
    daemon = site.moored({"output_reserve": "1KiB"})
    daemon.root.mkdir(parents=True)
    _mount("-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(daemon.root))
    try:
        daemon.start()
        daemon.import_image(site.archive)
        yield daemon
    finally:
        if daemon.is_running():
            daemon.stop()
        subprocess.run(["umount", str(daemon.root)], check=True, timeout=WITHIN)


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True, timeout=WITHIN)


def fill(root: Path) -> Path:
    """Leave no room at all."""
    ballast = root / "ballast"
    with ballast.open("wb", buffering=0) as file:
        size = 1 << 20
        while size:
            try:
                written = file.write(b"\0" * size)
            except OSError:
                written = 0
            size = size if written == size else size // 2
    return ballast


async def test_while_the_disk_is_full_reads_go_on_and_nothing_is_lost(site: Site) -> None:
    before = site.look()
    with on_a_disk_of_its_own(site) as daemon:
        async with Wire(daemon.address) as wire:
            stays, goes = await wire.run(shell(OBEYS)), await wire.run(shell(OBEYS))
            for container in (stays, goes):
                await wire.until_printed(container.id, "ready")
            rests = await wire.create(sleeper(name="rests"))
            ballast = fill(daemon.root)
            for call in (wire.create(sleeper()), wire.start(rests.id), wire.stop(stays.id)):
                why = await refused(call)
                assert (why.reason, "full" in why.message) == ("LEDGER_FAILED", True)
            processes.end(goes.status.pid)
            assert len(await wire.list()) == 3
            assert (await wire.inspect(stays.id)).status.state == RUNNING
            assert processes.is_alive(stays.status.pid)

            ballast.unlink()
            assert (await wire.wait(goes.id)).status.exit.code == 7
            assert (await wire.start(rests.id)).container.status.state == RUNNING
            found = await settled_container(wire, stays.id)
            assert found is not None
            assert assert_agreement(found, daemon, site.containerd)
            for container in (stays, goes, rests):
                await wire.remove(container.id)
        daemon.stop()
        assert run(daemon, "ledger", "check").code == 0
    assert site.changes_since(before) == []


async def test_on_a_disk_that_cannot_be_written_to_it_refuses_and_reads_what_is_there(
    site: Site,
) -> None:
    with on_a_disk_of_its_own(site) as daemon:
        async with Wire(daemon.address) as wire:
            container = await wire.create(sleeper())  # what runs writes its output there
            daemon.stop()
            _mount("-o", "remount,ro", str(daemon.root))
            daemon.launch()
            assert await asyncio.to_thread(daemon.await_end) == 1
            assert "Read-only file system" in daemon.tail()
            assert "Traceback" not in daemon.tail()
            assert run(daemon, "ledger", "check", "--json").answer["containers"] == {"Created": 1}
            _mount("-o", "remount,rw", str(daemon.root))
            daemon.start()
            assert (await wire.start(container.id)).container.status.state == RUNNING
            await wire.remove(container.id)


@pytest.mark.parametrize(
    ("commits", "point"),
    [
        (0, "after"),
        (1, "before"),
        pytest.param(0, "before", marks=pytest.mark.soak),
        pytest.param(1, "after", marks=pytest.mark.soak),
    ],
)
async def test_killed_in_a_commit_of_a_start_it_leaves_a_running_container_or_none(
    site: Site, point: str, commits: int
) -> None:
    daemon = site.start_moored()
    async with Wire(daemon.address) as wire:
        container = await wire.create(sleeper(name="struck"))
        daemon.stop()
        wait = f"{commits}*off->" if commits else ""
        daemon.reconfigure(failpoints=f"ledger.commit.{point}={wait}1*kill")
        daemon.start()
        await refused(wire.start(container.id))
        await asyncio.to_thread(daemon.await_end)
        daemon.reconfigure(failpoints="")
        daemon.start()
        found = await settled_container(wire, container.id)
        assert found is not None
        assert_agreement(found, daemon, site.containerd)
        assert (await wire.start(container.id)).container.status.state == RUNNING
        assert run(daemon, "ledger", "check").code == 0
        await wire.remove(container.id)
    daemon.stop()
