"""The audit finds all that bears our mark and is on nobody's record, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

import grpc
import pytest

from moorage.v1 import container_service_pb2
from tests.outside import containerd as seen
from tests.outside import kernel
from tests.real.specs import sleeper
from tests.real.wire import CALL_WITHIN, Wire, refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.real.moored import Moored
    from tests.real.site import Site

pytestmark = pytest.mark.real

IMAGE: Final = "docker.io/library/busybox:latest"
GONE: Final = "c0ffee" + 26 * "0"
RUN: Final = f"{GONE}.1"
WITHIN: Final = 30.0


async def audited(wire: Wire, *, fix: bool = False, kill: bool = False) -> set[tuple[str, bool]]:
    """Return what kinds were found, and whether each is gone now."""
    request = container_service_pb2.AuditRequest(fix=fix, kill=kill)
    answer = await wire.containers.Audit(request, timeout=CALL_WITHIN)
    return {
        (
            found.kind,
            found.HasField("fate")
            and found.fate.outcome != container_service_pb2.RELEASE_OUTCOME_FAILED,
        )
        for found in answer.findings
    }


def ctr(site: Site, moored: Moored, *words: str) -> None:
    seen.ctr(site.containerd.address, moored.instance, *words)


def plant_files(moored: Moored) -> list[Path]:
    """Leave what a run that nobody knows of has in our own directories."""
    left = [
        moored.state / "runs" / RUN,
        moored.state / "streams" / RUN / "execs",
        moored.state / "shm" / RUN,
        moored.state / "secrets" / RUN,
        moored.root / "output" / GONE / "1",
    ]
    for directory in left:
        directory.mkdir(parents=True)
    return left


def plant_cgroups(moored: Moored) -> list[Path]:
    left = [place / moored.instance / RUN for place in kernel.hierarchies()]
    for place in left:
        place.mkdir(parents=True, exist_ok=True)
    return left


@pytest.fixture
def look_alikes(moored: Moored, site: Site) -> Iterator[list[Path]]:
    """What others have in places like ours: names that are no run's, and another's directory."""
    theirs = [
        moored.state / "runs" / "not-a-run",
        moored.root / "output" / "mine",
        *(place / moored.instance / "by-hand" for place in kernel.hierarchies()[:1]),
    ]
    for directory in theirs:
        directory.mkdir(parents=True)
    ctr(site, moored, "containers", "create", IMAGE, "somebody", "/bin/true")
    yield theirs
    ctr(site, moored, "containers", "rm", "somebody")
    for directory in theirs:
        directory.rmdir()


async def test_there_is_nothing_to_find_beside_what_runs(wire: Wire) -> None:
    async with wire.running(sleeper(ipc="shareable")), wire.created(sleeper()):
        assert await audited(wire) == set()


async def test_what_is_planted_is_found_and_let_go_and_look_alikes_stay(
    site: Site, moored: Moored, wire: Wire, look_alikes: list[Path]
) -> None:
    planted = [*plant_files(moored), *plant_cgroups(moored)]
    ctr(site, moored, "containers", "create", "--label", _label(moored), IMAGE, RUN, "/bin/true")
    kinds = {"files", "streams", "shm", "secrets", "output", "cgroup", "container"}
    async with wire.running(sleeper()) as container:
        assert await audited(wire) == {(kind, False) for kind in kinds}
        assert all(place.exists() for place in planted)
        assert await audited(wire, fix=True) == {(kind, True) for kind in kinds}
        assert await audited(wire) == set()
        assert (await wire.inspect(container.id)).status.pid
    assert not any(place.exists() for place in planted)
    assert all(place.exists() for place in look_alikes)


async def test_what_is_alive_is_told_and_stays_until_it_may_be_killed(
    site: Site, moored: Moored, wire: Wire
) -> None:
    words = ("run", "--detach", "--null-io", "--label", _label(moored), IMAGE, RUN)
    ctr(site, moored, *words, "/bin/sleep", "1000")
    found = await audited(wire, fix=True)
    assert ("task", False) in found
    assert not any(gone for _, gone in found)
    killed = await audited(wire, fix=True, kill=True)
    assert ("task", True) in killed
    assert await audited(wire) == set()


@pytest.mark.parametrize("fields", [{"kill": True}, {"request_id": "one"}])
async def test_what_goes_with_a_fix_is_refused_without(wire: Wire, fields: dict[str, Any]) -> None:
    request = container_service_pb2.AuditRequest(**fields)
    refusal_ = await refused(wire.containers.Audit(request, timeout=CALL_WITHIN))
    assert (refusal_.code, refusal_.fields) == (grpc.StatusCode.INVALID_ARGUMENT, tuple(fields))


def test_the_command_says_what_is_there_and_whether_it_is_gone(moored: Moored) -> None:
    plant_files(moored)
    environment = {**os.environ, "MOORAGE_ADDRESS": moored.address}
    codes = []
    for words in (("audit",), ("audit", "--fix"), ("audit",)):
        done = subprocess.run(
            [sys.executable, "-m", "moorage", *words],
            env=environment,
            capture_output=True,
            text=True,
            timeout=WITHIN,
            check=False,
        )
        codes.append((done.returncode, f"{GONE}/1" in done.stdout))
    assert codes == [(1, True), (0, True), (0, False)]


def _label(moored: Moored) -> str:
    return f"moorage/instance={moored.instance}"
