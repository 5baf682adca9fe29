"""A run may lie in a cgroup of the host's: found there by all who look, and gone afterwards.

What was the host's before stays. moored that was killed, and one that lost the record, find the
run by its place or its mark.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import grpc
import pytest

from moorage.v1 import container_pb2, container_service_pb2, exec_service_pb2
from tests.outside import kernel
from tests.real.specs import shell, sleeper
from tests.real.wire import CALL_WITHIN, Wire, refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.real.moored import Moored
    from tests.real.site import Site

pytestmark = pytest.mark.real

LIMIT: Final = 64 * 2**20
GREEDY: Final = "sleep 0.2; x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done"


@pytest.fixture(scope="module")
def parent() -> Iterator[str]:
    """A cgroup of the host's, in every hierarchy."""
    path = f"/moored-parent-{uuid4().hex[:8]}"
    places = [Path(f"{hierarchy}{path}") for hierarchy in kernel.hierarchies()]
    for place in places:
        place.mkdir()
    yield path
    for place in places:
        place.rmdir()  # which only an empty one lets be done


@pytest.fixture(scope="module")
def daemon(site: Site, parent: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moored]:
    policy = tmp_path_factory.mktemp("policy") / "policy.toml"
    policy.write_text(f'[roles.local]\ncgroup_parents = ["{parent}", "/not-there"]\n')
    started = site.start_moored({"policy": str(policy)})
    yield started
    started.stop()
    site.retire_stopped()


@pytest.fixture
async def wire(daemon: Moored) -> AsyncIterator[Wire]:
    async with Wire(daemon.address) as connected:
        yield connected


def found(parent: str) -> list[Path]:
    return [place for h in kernel.hierarchies() for place in Path(f"{h}{parent}").glob("*-*.*")]


def cgroups_of(pid: int) -> set[str]:
    lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    return {line.split(":", 2)[2] for line in lines}


async def test_all_of_a_run_lies_below_its_parent_and_is_counted_there(
    wire: Wire, daemon: Moored, parent: str
) -> None:
    limits = container_pb2.Resources(memory_limit=LIMIT)
    async with wire.running(sleeper(cgroup_parent=parent, resources=limits)) as box:
        where = f"{parent}/{daemon.instance}-{box.id}.1"
        pid = (await wire.inspect(box.id)).status.pid
        assert where in cgroups_of(pid)
        assert cgroups_of(pid) <= {where, "/"}  # a hierarchy that the runtime leaves alone
        request = container_service_pb2.StatsRequest(containers=[box.id])
        (answer,) = [a async for a in wire.containers.Stats(request, timeout=CALL_WITHIN)]
        assert answer.containers[0].memory.limit == LIMIT
        asked = exec_service_pb2.ExecSyncRequest(
            container=box.id,
            spec=exec_service_pb2.ExecSpec(args=["cat", "/proc/self/cgroup"]),
        )
        done = await wire.execs.ExecSync(asked, timeout=CALL_WITHIN)
        assert box.id in done.stdout.decode()
        assert (
            await wire.containers.Audit(container_service_pb2.AuditRequest(), timeout=CALL_WITHIN)
        ).findings == []
    assert found(parent) == []


async def test_a_kill_for_want_of_memory_is_seen_below_a_parent(wire: Wire, parent: str) -> None:
    limits = container_pb2.Resources(memory_limit=LIMIT // 4)
    spec = shell(GREEDY, cgroup_parent=parent, resources=limits)
    async with wire.created(spec) as box:
        await wire.start(box.id)
        ended = await wire.wait(box.id)
        assert ended.status.exit.origin == container_pb2.EXIT_ORIGIN_OOM


async def test_it_is_found_again_after_a_kill_of_the_server(
    wire: Wire, daemon: Moored, parent: str
) -> None:
    async with wire.running(sleeper(cgroup_parent=parent)) as box:
        daemon.kill()
        daemon.start()
        known = await wire.inspect(box.id)
        assert known.status.state == container_pb2.CONTAINER_STATE_RUNNING
        await wire.cleanup(box.id)
    assert found(parent) == []


async def test_one_on_nobodys_record_is_found_by_its_mark_and_look_alikes_stay(
    wire: Wire, daemon: Moored, parent: str
) -> None:
    run = f"{'c0ffee' + 26 * '0'}.1"
    first = kernel.hierarchies()[0]
    ours = Path(f"{first}{parent}/{daemon.instance}-{run}")
    theirs = [
        Path(f"{first}{parent}/another-{run}"),
        Path(f"{first}{parent}/{daemon.instance}-mine"),
    ]
    with contextlib.ExitStack() as planted:
        for place in (ours, *theirs):
            place.mkdir()
            planted.callback(_remove, place)
        request = container_service_pb2.AuditRequest(fix=True)
        answer = await wire.containers.Audit(request, timeout=CALL_WITHIN)
        assert [one.kind for one in answer.findings] == ["cgroup"]
        assert {place for place in (ours, *theirs) if _is_there(place)} == {*theirs}


@pytest.mark.parametrize(
    ("asked", "code", "why"),
    [
        ("/elsewhere", grpc.StatusCode.PERMISSION_DENIED, "rule cgroup_parents"),
        ("/not-there", grpc.StatusCode.INVALID_ARGUMENT, "is no cgroup in"),
        ("a.slice", grpc.StatusCode.INVALID_ARGUMENT, "slice of systemd's"),
    ],
)
async def test_what_cannot_be_is_refused_by_name(
    wire: Wire, asked: str, code: grpc.StatusCode, why: str
) -> None:
    refusal = await refused(wire.run(sleeper(cgroup_parent=asked)))
    assert (refusal.code, refusal.fields) == (code, ("spec.cgroup_parent",))
    assert why in refusal.message


def _is_there(place: Path) -> bool:
    return place.exists()


def _remove(place: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        place.rmdir()
