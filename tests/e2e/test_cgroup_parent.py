"""A run may lie in a cgroup of the host's: found there by all who look, and gone afterwards.

What was the host's before stays. moored that was killed, and one that lost the record, find the
run by its place or its mark.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import grpc
import pytest

from moorage.v1 import container_pb2, container_service_pb2, exec_service_pb2
from tests.outside import kernel
from tests.real.specs import shell, sleeper
from tests.real.wire import CALL_WITHIN, Wire, duration, refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.real.moored import Moored
    from tests.real.site import Site

pytestmark = pytest.mark.real

RT_RUNTIME: Final = "cpu.rt_runtime_us"
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


@pytest.fixture
def realtime(parent: str) -> Iterator[None]:
    """A tenth of a processor's time is the parent's to give as realtime."""
    place = next((h for h in map(Path, kernel.hierarchies()) if (h / RT_RUNTIME).exists()), None)
    if place is None:
        pytest.skip("this host's cgroups divide no realtime")
    above = place / parent[1:]
    (above / RT_RUNTIME).write_text("100000")
    yield
    (above / RT_RUNTIME).write_text("0")


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


@pytest.mark.usefixtures("realtime")
async def test_realtime_is_had_of_what_the_parent_was_given(wire: Wire, parent: str) -> None:
    half = container_pb2.Resources(cpu_rt_runtime=duration(0.03), cpu_rt_period=duration(0.5))
    spec = sleeper(cgroup_parent=parent, resources=half)
    async with wire.running(spec) as box:
        assert box.spec.resources == half
        os.sched_setscheduler(box.status.pid, os.SCHED_FIFO, os.sched_param(1))
        assert os.sched_getscheduler(box.status.pid) == os.SCHED_FIFO
        refusal = await refused(wire.create(spec))  # of what is left, that is too much
        assert refusal.fields == ("spec.resources.cpu_rt_runtime",)
        assert "0.06 of a processor" in refusal.message
        assert "0.04 of a processor to give" in refusal.message
    async with wire.running(sleeper(cgroup_parent=parent)) as box:
        with pytest.raises(PermissionError):
            os.sched_setscheduler(box.status.pid, os.SCHED_FIFO, os.sched_param(1))


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"cpu_rt_runtime": 0.01}, "cpu_rt_runtime"),
        ({"cpu_rt_period": 0.01}, "cpu_rt_period"),
        ({"cpu_rt_runtime": 0.2, "cpu_rt_period": 0.1}, "cpu_rt_runtime"),
        ({"cpu_rt_runtime": 0.0001}, "cpu_rt_runtime"),
        ({"cpu_rt_runtime": 0.1, "cpu_rt_period": 2}, "cpu_rt_period"),
    ],
)
async def test_realtime_that_nobody_gave_or_that_makes_no_sense_is_refused(
    wire: Wire, parent: str, fields: dict[str, float], where: str
) -> None:
    given: dict[str, Any] = {name: duration(seconds) for name, seconds in fields.items()}
    asked = container_pb2.Resources(**given)
    refusal = await refused(wire.create(sleeper(cgroup_parent=parent, resources=asked)))
    assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
    assert refusal.fields == (f"spec.resources.{where}",)
