"""An archive that means ill is refused by what is wrong with it, or can do no harm; whichever, it
writes nothing outside, leaves nothing in containerd, and costs moored little memory.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import grpc
import grpc.aio
import pytest

from moorage.v1 import image_service_pb2
from tests.outside import containerd as seen
from tests.real import hostile
from tests.real.command import Command
from tests.real.wire import CALL_WITHIN, Wire, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.real.moored import Moored
    from tests.real.site import Site

pytestmark = [pytest.mark.real, pytest.mark.timeout(400)]

LIMIT: Final = "64MiB"
MOST_MEMORY: Final = 64 * 1024
"""Kilobytes above what moored has before."""
CHUNK: Final = 512 * 1024
ALLOWED: Final = {"ARCHIVE_INVALID", "ARCHIVE_TOO_LARGE", "RUNTIME_REFUSED", "INVALID_FIELD"}
_PEAK: Final = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """Where nobody is to write."""
    place = tmp_path / "outside"
    place.mkdir()
    (place / "canary").write_text("sings")
    return place


@pytest.fixture
def narrow(site: Site) -> Iterator[Moored]:
    """A moored that takes little, and has no image."""
    daemon = site.moored({"largest_import": LIMIT, "largest_unpacked": LIMIT})
    daemon.start()
    yield daemon
    daemon.stop()


async def test_each_of_many_is_refused_by_its_fault_and_leaves_nothing(
    site: Site, narrow: Moored, outside: Path
) -> None:
    cases = list(hostile.every(str(outside)))
    assert len(cases) >= 30
    wrong, most = [], 0
    async with Wire(narrow.address) as wire:
        before = _kept(site, narrow)
        for case in cases:
            resident = narrow.resident_kilobytes()
            _forget_peak(narrow)
            reason, why = await _tried(wire, case)
            wrong += [f"{case}: {why}"] if why else []
            grown = _peak(narrow) - resident
            most = max(most, grown)
            wrong += [f"{case}: {grown} kB of memory"] if grown > MOST_MEMORY else []
            if reason != "ARCHIVE_INVALID" and (after := _kept(site, narrow)) != before:
                wrong.append(f"{case}: left {after - before}")
            found = os.listdir(outside)
            wrong += [f"{case}: outside are {found}"] if found != ["canary"] else []
        assert _kept(site, narrow) == before
    print(f"{len(cases)} archives; memory grew by {most} kB at most")
    assert wrong == []


async def _tried(wire: Wire, case: hostile.Hostile) -> tuple[str, str]:
    """Return by what reason an archive was refused, and what is wrong with that.

    One that was taken is removed.
    """
    try:
        answer = await wire.images.Import(_parts(case.archive), timeout=CALL_WITHIN)
    except grpc.aio.AioRpcError as error:
        told = refusal(error)
        named = case.why and re.search(case.why, told.message)
        return told.reason, "" if named and told.reason in ALLOWED else f"is refused by {told}"
    for image in answer.images:
        request = image_service_pb2.RemoveRequest(image=image.name)
        await wire.images.Remove(request, timeout=CALL_WITHIN)
    return "", "is taken" if case.why else ""


async def test_one_that_is_cut_anywhere_is_refused(site: Site, narrow: Moored) -> None:
    async with Wire(narrow.address) as wire:
        for archive in hostile.truncated():
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await wire.images.Import(_parts(archive), timeout=CALL_WITHIN)
            assert refusal(caught.value).reason == "ARCHIVE_INVALID"
    assert _kept(site, narrow) == frozenset()


def test_the_command_names_the_fault(narrow: Moored, tmp_path: Path) -> None:
    command = Command(narrow.address)
    path = tmp_path / "archive.tar"
    path.write_bytes(hostile.truncated()[2])
    ended = command("images", "import", str(path))
    assert ended.code == 1
    assert "ends in the middle of" in ended.err
    assert "Traceback" not in ended.err


def _parts(archive: bytes) -> Iterator[image_service_pb2.ImportRequest]:
    for begin in range(0, len(archive), CHUNK):
        yield image_service_pb2.ImportRequest(chunk=archive[begin : begin + CHUNK])


def _kept(site: Site, moored: Moored) -> frozenset[str]:
    """Return all that containerd has of images, unpacked or on the way."""
    address, names = site.containerd.address, [moored.instance]
    seen.collect(address, moored.instance)
    return frozenset().union(
        seen.images(address, names),
        seen.content(address, names),
        seen.committed_layers(address, names),
        seen.writable_layers(address, names),
        seen.leases(address, names),
    )


def _forget_peak(moored: Moored) -> None:
    Path(f"/proc/{moored.pid}/clear_refs").write_text("5")


def _peak(moored: Moored) -> int:
    found = _PEAK.search(Path(f"/proc/{moored.pid}/status").read_text())
    assert found is not None
    return int(found[1])
