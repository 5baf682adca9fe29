"""A disk that gets full stops no container: old output goes, what is lost is told, and it goes on.

The disk is a filesystem of the test's own, where output is kept.
"""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from moorage.v1 import container_service_pb2 as service
from moorage.v1.container_pb2 import CONTAINER_STATE_EXITED
from moorage.v1.event_pb2 import EVENT_KIND_OUTPUT_LOST
from tests.real.specs import shell
from tests.real.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.real.moored import Moored
    from tests.real.site import Site

pytestmark = pytest.mark.real

WITHIN = 100.0
MEGABYTE = 1 << 20


@contextmanager
def cramped(site: Site, size: int, reserve: str) -> Iterator[Moored]:
    """A moored whose output lies on a filesystem of so many bytes."""
    daemon = site.moored({"output_reserve": reserve, "output_max_size": "1GiB"})
    place = daemon.root / "output"
    place.mkdir(parents=True)
    options = ["-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    subprocess.run(["mount", *options], check=True, timeout=WITHIN)
    try:
        daemon.start()
        daemon.import_image(site.archive)
        yield daemon
        daemon.stop()
    finally:
        if daemon.is_running():
            daemon.kill()
        subprocess.run(["umount", str(place)], check=True, timeout=WITHIN)


async def test_output_goes_early_and_the_newest_is_whole(site: Site) -> None:
    script = (
        "i=0; while [ $i -lt 24 ]; do dd if=/dev/zero bs=256k count=1 2>/dev/null | tr '\\0' x;"
        " echo; echo part $i; i=$((i+1)); sleep 0.5; done; echo done"
    )
    with cramped(site, 4 * MEGABYTE, "2MiB") as daemon:
        async with Wire(daemon.address) as wire, wire.running(shell(script)) as box:
            ended = await wire.wait(box.id, within=WITHIN)
            assert (ended.status.exit.code, ended.status.HasField("output_lost")) == (0, False)
            lines = (await wire.printed(box.id, follow=False)).split(b"\n")
            parts = [int(line.split()[1]) for line in lines if line.startswith(b"part ")]
            assert parts == list(range(parts[0], 24))
            assert lines[-2] == b"done"


async def test_a_container_whose_copier_died_goes_on_and_its_loss_is_told(site: Site) -> None:
    script = "dd if=/dev/zero bs=64k count=64 2>/dev/null; echo over >&2; exit 6"
    with cramped(site, MEGABYTE, "1KiB") as daemon:
        async with Wire(daemon.address) as wire, wire.running(shell(script)) as box:
            ended = await wire.wait(box.id, within=WITHIN)
            assert ended.status.state == CONTAINER_STATE_EXITED
            assert ended.status.exit.code == 6
            lost = ended.status.output_lost.since.ToDatetime()
            assert ended.status.start_time.ToDatetime() <= lost
            assert lost <= ended.status.finish_time.ToDatetime()
            call = wire.containers.Watch(service.WatchRequest(since_revision=0), timeout=WITHIN)
            told: list[Any] = [await call.read()]
            while told[-1].event.kind != EVENT_KIND_OUTPUT_LOST:
                told.append(await call.read())
            call.cancel()
            assert told[-1].event.container == box.id
