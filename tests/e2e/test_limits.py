"""Limits bite: seen from inside the container and in the kernel's own counts."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from moorage.v1 import container_service_pb2
from moorage.v1.container_pb2 import ContainerSpec, Resources
from moorage.v1.resources_pb2 import BlkioThrottle, BlkioWeight, HugepageLimit, Rlimit
from moored.oci.host import CgroupMode, Host
from tests.real.specs import shell
from tests.real.wire import Wire, refused

if TYPE_CHECKING:
    from typing import Any


pytestmark = pytest.mark.real
V2 = Host.look().cgroup_mode is CgroupMode.V2
GROUP = "/sys/fs/cgroup"
QUOTA = 200_000_000
"""Nanoseconds of each second."""


async def printed(wire: Wire, spec: ContainerSpec) -> list[str]:
    async with wire.running(spec) as container:
        return (await wire.printed(container.id)).decode().splitlines()


def limited(script: str, **limits: Any) -> ContainerSpec:
    return shell(script, resources=Resources(**limits))


async def test_a_fork_bomb_is_contained(wire: Wire) -> None:
    directory = GROUP if V2 else f"{GROUP}/pids"
    bomb = "(while :; do sleep 1000 & done) 2>/dev/null"
    script = f"{bomb}; read n < {directory}/pids.current; read m < {directory}/pids.max; echo $n $m"
    [line] = await printed(wire, limited(script, pids_limit=20))
    current, most = map(int, line.split())
    assert most == 20
    assert 10 < current <= 20


async def test_a_container_gets_no_more_processor_time_than_its_quota(wire: Wire) -> None:
    usage, stat = (
        (f"grep usage_usec {GROUP}/cpu.stat", f"{GROUP}/cpu.stat")
        if V2
        else (f"cat {GROUP}/cpuacct/cpuacct.usage", f"{GROUP}/cpu/cpu.stat")
    )
    busy = "i=0; while [ $i -lt 400000 ]; do i=$((i+1)); done"
    script = f"{busy}; {usage}; grep -E 'nr_(periods|throttled)' {stat}"
    used, periods, throttled = await printed(wire, limited(script, nano_cpus=QUOTA))
    spent = int(used.split()[-1]) * (1000 if V2 else 1)
    whole = int(periods.split()[1])
    assert int(throttled.split()[1]) > 0
    # Each period of 100 ms grants a tenth of it; what a processor had taken ahead is small.
    assert spent <= (whole + 2) * QUOTA // 10 * 1.5


@pytest.mark.skipif(V2, reason="the files of v1")
@pytest.mark.parametrize(
    ("limits", "file", "value"),
    [
        ({"cpu_shares": 77}, "cpu/cpu.shares", "77"),
        ({"cpuset_cpus": "0", "cpuset_mems": "0"}, "cpuset/cpuset.cpus", "0"),
        ({"memory_swappiness": 7}, "memory/memory.swappiness", "7"),
        ({"memory_reservation": 2**23}, "memory/memory.soft_limit_in_bytes", "8388608"),
        (
            {"memory_limit": 2**24, "memory_swap_limit": 2**25},
            "memory/memory.memsw.limit_in_bytes",
            "33554432",
        ),
        (
            {"cpu_quota": timedelta(milliseconds=5), "cpu_period": timedelta(milliseconds=10)},
            "cpu/cpu.cfs_quota_us",
            "5000",
        ),
        (
            {"blkio_throttles": [BlkioThrottle(path="/dev/loop0", read_bps=1024)]},
            "blkio/blkio.throttle.read_bps_device",
            "7:0 1024",
        ),
    ],
)
async def test_on_v1_each_limit_is_the_cgroups(
    wire: Wire, limits: dict[str, Any], file: str, value: str
) -> None:
    assert await printed(wire, limited(f"cat {GROUP}/{file}", **limits)) == [value]


async def test_a_process_has_the_limits_the_umask_and_the_groups_that_were_asked_for(
    wire: Wire,
) -> None:
    spec = shell(
        "ulimit -Sn; ulimit -Hn; umask; id -G; cat /proc/self/oom_score_adj",
        rlimits=[Rlimit(name="nofile", soft=64, hard=128)],
        umask=0o27,
        supplementary_groups=["daemon", "77"],
        oom_score_adjust=500,
        user="nobody",
    )
    assert await printed(wire, spec) == ["64", "128", "0027", "65534 1 77", "500"]


async def test_a_group_that_is_nowhere_is_refused_by_its_field(wire: Wire) -> None:
    async with wire.created(shell("true", supplementary_groups=["none"])) as container:
        refusal = await refused(wire.start(container.id))
        assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
        assert refusal.fields == ("spec.supplementary_groups",)


@pytest.mark.parametrize(
    ("field", "limits"),
    [
        ("nano_cpus", {"nano_cpus": 10**12}),
        ("cpuset_cpus", {"cpuset_cpus": "9999"}),
        ("hugepage_limits[0].page_size", {"hugepage_limits": [HugepageLimit(page_size="3MB")]}),
        ("blkio_throttles[0].path", {"blkio_throttles": [BlkioThrottle(path="/x", read_bps=1)]}),
        (
            "blkio_throttles[0].path",
            {"blkio_throttles": [BlkioThrottle(path="/dev/null", read_bps=1)]},
        ),
    ],
)
async def test_s7_what_this_host_cannot_keep_is_refused_by_its_field(
    wire: Wire, field: str, limits: dict[str, Any]
) -> None:
    refusal = await refused(wire.create(limited("true", **limits)))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert refusal.fields == (f"spec.resources.{field}",)


async def test_s7_what_this_host_cannot_follow_is_left_out_with_a_warning(wire: Wire) -> None:
    weights = [BlkioWeight(path="/dev/loop0", weight=10)]
    request = container_service_pb2.StartRequest(spec=limited("true", blkio_weights=weights))
    answer = await wire.containers.Start(request, timeout=60, wait_for_ready=True)
    try:
        followed = Host.look().capacity.weighs_disks
        assert bool(answer.warnings) is not followed
        assert all("spec.resources.blkio_weights is left out" in w for w in answer.warnings)
    finally:
        await wire.remove(answer.container.id)


async def test_a_score_below_zero_needs_the_policys_leave(wire: Wire) -> None:
    refusal = await refused(wire.create(shell("true", oom_score_adjust=-1)))
    assert (refusal.code, refusal.reason) == (
        grpc.StatusCode.PERMISSION_DENIED,
        "NOT_ALLOWED_BY_POLICY",
    )
    assert refusal.fields == ("spec.oom_score_adjust",)
    assert refusal.metadata["rule"] == "low_oom_score"


async def test_limits_of_a_container_that_runs_can_change(wire: Wire) -> None:
    file = f"{GROUP}/pids.max" if V2 else f"{GROUP}/pids/pids.max"
    spec = shell(f"trap 'cat {file}' USR1; echo ready; while :; do sleep 0.1; done")
    async with wire.running(spec) as container:
        await wire.until_printed(container.id, "ready")
        for limit, seen in ((33, "33"), (0, "max")):
            request = container_service_pb2.UpdateRequest(
                container=container.id,
                spec=ContainerSpec(resources=Resources(pids_limit=limit)),
                update_mask=FieldMask(paths=["resources.pids_limit"]),
            )
            await wire.containers.Update(request, timeout=60, wait_for_ready=True)
            kill = container_service_pb2.KillRequest(container=container.id, signal="USR1")
            await wire.containers.Kill(kill, timeout=60, wait_for_ready=True)
            await wire.until_printed(container.id, seen)
        assert (await wire.inspect(container.id)).generation == container.generation + 2
