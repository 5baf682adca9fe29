"""The law: a limit is kept or refused by its field; a preference is followed or warned about."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moored.model import limit_rules
from moored.model.limits import (
    UNLIMITED,
    BlkioThrottle,
    BlkioWeight,
    HugepageLimit,
    Resources,
    Rlimit,
)
from moored.oci import resources
from moored.oci.capacity import Capacity, usable
from moored.oci.cgroups import Hierarchy
from moored.oci.cpusets import members
from moored.oci.host import CgroupMode, Host
from tests.unit.hosts import BARE, V1, V2

MB = 2**20
DISK = "/dev/sda"


def _fields(**asked: Any) -> list[str]:
    return [violation.field for violation in limit_rules.violations(Resources(**asked))]


def _translated(host: Host = V2, **asked: Any) -> dict[str, Any]:
    return resources.translate(Resources(**asked), host, lambda _: (8, 0))


def _unkept(host: Host, **asked: Any) -> list[str]:
    return [violation.field for violation in resources.violations(Resources(**asked), host)]


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"memory_limit": 6 * MB},
        {"memory_limit": 6 * MB, "memory_swap_limit": 6 * MB, "memory_reservation": MB},
        {"memory_limit": 6 * MB, "memory_swap_limit": UNLIMITED},
        {"pids_limit": 1},
        {"cpu_shares": 2},
        {"cpu_quota": timedelta(milliseconds=1)},
        {"cpu_quota": timedelta(seconds=3), "cpu_period": timedelta(seconds=1)},
        {"nano_cpus": 10**7},
        {"cpuset_cpus": "0-3,7", "cpuset_mems": "0"},
        {"blkio_weight": 10, "blkio_weights": (BlkioWeight(DISK, 1000),)},
        {"blkio_throttles": (BlkioThrottle(DISK, write_iops=1),)},
        {"hugepage_limits": (HugepageLimit("2MB", 0), HugepageLimit("1GB", MB))},
    ],
)
def test_sound_limits_are_not_complained_about(asked: dict[str, Any]) -> None:
    assert _fields(**asked) == []


@pytest.mark.parametrize(
    ("field", "asked"),
    [
        ("memory_limit", {"memory_limit": 6 * MB - 1}),
        ("memory_limit", {"memory_limit": -1}),
        ("memory_limit", {"memory_limit": 2**60}),
        ("memory_swap_limit", {"memory_swap_limit": MB}),
        ("memory_swap_limit", {"memory_limit": 8 * MB, "memory_swap_limit": 7 * MB}),
        ("memory_swap_limit", {"memory_limit": 8 * MB, "memory_swap_limit": -2}),
        ("memory_reservation", {"memory_reservation": -1}),
        ("memory_reservation", {"memory_limit": 8 * MB, "memory_reservation": 8 * MB}),
        ("memory_swappiness", {"memory_swappiness": 101}),
        ("pids_limit", {"pids_limit": -1}),
        ("pids_limit", {"pids_limit": 2**30}),
        ("cpu_shares", {"cpu_shares": 1}),
        ("cpu_shares", {"cpu_shares": 262145}),
        ("cpu_period", {"cpu_period": timedelta(microseconds=999)}),
        ("cpu_period", {"cpu_period": timedelta(seconds=2)}),
        ("cpu_quota", {"cpu_quota": timedelta(microseconds=1)}),
        ("nano_cpus", {"nano_cpus": 1}),
        ("nano_cpus", {"nano_cpus": 10**9, "cpu_quota": timedelta(seconds=1)}),
        ("cpuset_cpus", {"cpuset_cpus": "0-"}),
        ("cpuset_cpus", {"cpuset_cpus": "3-1"}),
        ("cpuset_cpus", {"cpuset_cpus": "0," * 600 + "0"}),
        ("cpuset_mems", {"cpuset_mems": "../0"}),
        ("blkio_weight", {"blkio_weight": 9}),
        ("blkio_weights[0].weight", {"blkio_weights": (BlkioWeight(DISK, 0),)}),
        ("blkio_weights[0].path", {"blkio_weights": (BlkioWeight("sda", 10),)}),
        ("blkio_weights", {"blkio_weights": (BlkioWeight(DISK, 10),) * 2}),
        ("blkio_throttles[0]", {"blkio_throttles": (BlkioThrottle(DISK),)}),
        ("blkio_throttles[0]", {"blkio_throttles": (BlkioThrottle(DISK, 2**60),)}),
        ("blkio_throttles[0].path", {"blkio_throttles": (BlkioThrottle("/dev/../sda", 1),)}),
        ("hugepage_limits[0].page_size", {"hugepage_limits": (HugepageLimit("2mb", 1),)}),
        ("hugepage_limits[1].page_size", {"hugepage_limits": (HugepageLimit("2MB", 1),) * 2}),
        ("hugepage_limits[0].limit", {"hugepage_limits": (HugepageLimit("2MB", 2**60),)}),
    ],
)
def test_each_limit_that_makes_no_sense_is_named(field: str, asked: dict[str, Any]) -> None:
    assert _fields(**asked) == [f"resources.{field}"]


@pytest.mark.parametrize(
    ("field", "rlimits"),
    [
        ("rlimits[0].name", [Rlimit("RLIMIT_NOFILE", 1, 1)]),
        ("rlimits[1].name", [Rlimit("core", 1, 1)] * 2),
        ("rlimits[0].soft", [Rlimit("core", 2, 1)]),
        ("rlimits[0].soft", [Rlimit("core", UNLIMITED, 1)]),
        ("rlimits[0].hard", [Rlimit("core", UNLIMITED, -2)]),
    ],
)
def test_each_rlimit_that_makes_no_sense_is_named(field: str, rlimits: list[Rlimit]) -> None:
    assert field in [violation.field for violation in limit_rules.rlimit_violations(rlimits)]


def test_rlimits_may_be_without_limit() -> None:
    endless = [Rlimit("core", 5, UNLIMITED), Rlimit("stack", UNLIMITED, UNLIMITED)]
    assert list(limit_rules.rlimit_violations(endless)) == []


def test_swappiness_is_v1s() -> None:
    asked = Resources(memory_swappiness=0)
    assert resources.translate(asked, V1, lambda _: (0, 0)) == {"memory": {"swappiness": 0}}
    assert list(resources.violations(asked, V1)) == []
    assert [v.field for v in resources.violations(asked, V2)] == ["resources.memory_swappiness"]
    assert [v.field for v in resources.fixed(Resources(), asked)] == ["resources.memory_swappiness"]


def test_realtime_is_for_the_kernels_own_period_and_of_new_runs() -> None:
    asked = Resources(cpu_rt_runtime=timedelta(milliseconds=3))
    told = {"cpu": {"realtimeRuntime": 3000, "realtimePeriod": 1_000_000}}
    assert resources.translate(asked, V1, lambda _: (0, 0)) == told
    assert "realtimeRuntime" not in resources.changed(asked, V1)["cpu"]
    fixed = resources.fixed(Resources(), asked)
    assert [v.field for v in fixed] == ["resources.cpu_rt_runtime"]


@pytest.mark.parametrize("host", [V1, V2], ids=["v1", "v2"])
@pytest.mark.parametrize(
    ("asked", "translated"),
    [
        ({}, {}),
        ({"memory_limit": 8 * MB}, {"memory": {"limit": 8 * MB, "swap": 8 * MB}}),
        (
            {"memory_limit": 8 * MB, "memory_swap_limit": 9 * MB},
            {"memory": {"limit": 8 * MB, "swap": 9 * MB}},
        ),
        (
            {"memory_limit": 8 * MB, "memory_swap_limit": UNLIMITED, "memory_reservation": MB},
            {"memory": {"limit": 8 * MB, "swap": -1, "reservation": MB}},
        ),
        ({"pids_limit": 7}, {"pids": {"limit": 7}}),
        ({"cpu_shares": 512}, {"cpu": {"shares": 512}}),
        ({"nano_cpus": 1_500_000_000}, {"cpu": {"period": 100_000, "quota": 150_000}}),
        (
            {"cpu_quota": timedelta(milliseconds=20)},
            {"cpu": {"period": 100_000, "quota": 20_000}},
        ),
        ({"cpu_period": timedelta(milliseconds=50)}, {"cpu": {"period": 50_000}}),
        (
            {"cpuset_cpus": "0", "cpuset_mems": "0"},
            {"cpu": {"cpus": "0", "mems": "0"}},
        ),
        (
            {"blkio_weight": 10, "blkio_weights": (BlkioWeight(DISK, 20),)},
            {
                "blockIO": {
                    "weight": 10,
                    "weightDevice": [{"major": 8, "minor": 0, "weight": 20}],
                }
            },
        ),
        (
            {"blkio_throttles": (BlkioThrottle(DISK, read_bps=1, write_iops=2),)},
            {
                "blockIO": {
                    "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 1}],
                    "throttleWriteIOPSDevice": [{"major": 8, "minor": 0, "rate": 2}],
                }
            },
        ),
        (
            {"hugepage_limits": (HugepageLimit("2MB", MB),)},
            {"hugepageLimits": [{"pageSize": "2MB", "limit": MB}]},
        ),
    ],
)
def test_limits_become_the_runtimes_on_every_kind_of_host(
    host: Host, asked: dict[str, Any], translated: dict[str, Any]
) -> None:
    assert _translated(host, **asked) == translated


def test_swap_is_not_spoken_of_where_it_cannot_be_limited() -> None:
    host = replace(V2, limits_swap=False)
    assert _translated(host, memory_limit=8 * MB) == {"memory": {"limit": 8 * MB}}


@pytest.mark.parametrize(
    ("field", "asked"),
    [
        ("memory_limit", {"memory_limit": 8 * MB}),
        ("pids_limit", {"pids_limit": 7}),
        ("nano_cpus", {"nano_cpus": 10**9}),
        ("cpu_quota", {"cpu_quota": timedelta(seconds=1)}),
        ("cpuset_cpus", {"cpuset_cpus": "0"}),
        ("cpuset_mems", {"cpuset_mems": "0"}),
        ("blkio_throttles", {"blkio_throttles": (BlkioThrottle(DISK, 1),)}),
        (
            "hugepage_limits[0].page_size",
            {"hugepage_limits": (HugepageLimit("2MB", 0),)},
        ),
    ],
)
def test_a_limit_that_this_host_cannot_keep_is_refused(field: str, asked: dict[str, Any]) -> None:
    assert _unkept(BARE, **asked) == [f"resources.{field}"]
    assert _unkept(V1, **asked) == _unkept(V2, **asked) == []


@pytest.mark.parametrize(
    ("field", "asked"),
    [
        ("nano_cpus", {"nano_cpus": 5 * 10**9}),
        ("cpuset_cpus", {"cpuset_cpus": "4"}),
        ("cpuset_mems", {"cpuset_mems": "0-1"}),
        (
            "hugepage_limits[0].page_size",
            {"hugepage_limits": (HugepageLimit("16MB", 0),)},
        ),
    ],
)
def test_more_than_this_host_has_is_refused(field: str, asked: dict[str, Any]) -> None:
    assert _unkept(V2, **asked) == [f"resources.{field}"]


def test_swap_that_cannot_be_limited_is_refused_only_where_there_is_some() -> None:
    host = replace(V2, limits_swap=False, swaps=True)
    assert _unkept(host, memory_limit=8 * MB) == ["resources.memory_limit"]
    asked = {"memory_limit": 8 * MB, "memory_swap_limit": 9 * MB}
    assert _unkept(host, **asked) == ["resources.memory_swap_limit"]
    assert _unkept(host, memory_limit=8 * MB, memory_swap_limit=UNLIMITED) == []
    assert _unkept(replace(host, swaps=False), **asked) == []


@pytest.mark.parametrize(
    ("field", "asked"),
    [
        ("cpu_shares", {"cpu_shares": 512}),
        ("memory_reservation", {"memory_reservation": MB}),
        ("blkio_weight", {"blkio_weight": 10}),
        ("blkio_weights", {"blkio_weights": (BlkioWeight(DISK, 10),)}),
    ],
)
def test_a_preference_that_this_host_cannot_follow_is_left_out_with_a_warning(
    field: str, asked: dict[str, Any]
) -> None:
    assert _translated(BARE, **asked) == {}
    assert _unkept(BARE, **asked) == []
    [warning] = resources.warnings(Resources(**asked), BARE)
    assert warning.startswith(f"spec.resources.{field} is left out: ")
    assert resources.warnings(Resources(**asked), V2) == []


def test_beside_v1_the_controllers_of_v2_are_nobodys(tmp_path: Any) -> None:
    v1 = Hierarchy(tmp_path, frozenset({"memory"}), unified=False)
    named = Hierarchy(tmp_path, frozenset({"name=systemd"}), unified=False)
    v2 = Hierarchy(tmp_path, frozenset({"hugetlb"}), unified=True)
    assert usable([v1, named, v2]) == {"memory"}
    assert usable([named, v2]) == {"name=systemd", "hugetlb"}


def test_what_a_hierarchy_can_limit_is_told_by_its_files(tmp_path: Any) -> None:
    v1 = Hierarchy(tmp_path / "v1", frozenset({"cpu", "blkio"}), unified=False)
    v2 = Hierarchy(tmp_path / "v2", frozenset({"cpu", "io"}), unified=True)
    (v2.root / "any.slice").mkdir(parents=True)
    v1.root.mkdir()
    for file in ("v1/cpu.cfs_quota_us", "v2/any.slice/cpu.max", "v2/any.slice/io.max"):
        (tmp_path / file).touch()
    first, second = Capacity.look([v1]), Capacity.look([v2])
    assert (first.limits_processors, first.throttles_disks) == (True, False)
    assert (second.limits_processors, second.throttles_disks) == (True, True)
    assert not first.weighs_disks
    assert not second.weighs_disks


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 9)), min_size=1))
def test_a_list_names_its_members(ranges: list[tuple[int, int]]) -> None:
    text = ",".join(f"{first}-{first + more}" if more else str(first) for first, more in ranges)
    wanted = {n for first, more in ranges for n in range(first, first + more + 1)}
    assert members(text) == wanted


def test_the_modes_of_the_hosts_are_what_they_are_called() -> None:
    assert (V1.cgroup_mode, V2.cgroup_mode) == (CgroupMode.V1, CgroupMode.V2)


def test_a_run_under_way_is_told_of_limits_and_of_their_end() -> None:
    told = resources.changed(Resources(memory_limit=8 * MB, nano_cpus=10**9), V2)
    assert told == {
        "memory": {"limit": 8 * MB, "swap": 8 * MB, "reservation": 1},
        "cpu": {
            "shares": 1024,
            "period": 100_000,
            "quota": 100_000,
            "cpus": "0-3",
            "mems": "0",
        },
        "pids": {"limit": -1},
    }
    assert resources.changed(Resources(), BARE) == {}
    assert resources.changed(Resources(), V1)["memory"]["reservation"] == -1


def test_what_no_runtime_changes_is_named() -> None:
    throttled = Resources(blkio_throttles=(BlkioThrottle(DISK, 1),), blkio_weight=10)
    fields = [found.field for found in resources.fixed(throttled, Resources(pids_limit=1))]
    assert fields == ["resources.blkio_throttles", "resources.blkio_weight"]
    assert list(resources.fixed(Resources(), Resources(blkio_weight=10))) == []
