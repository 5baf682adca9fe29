"""The options of limits mean what they mean elsewhere, and end up in their fields."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click
import pytest
from click.testing import CliRunner

from moorage.cli.specs import spec_of, spec_options

if TYPE_CHECKING:
    from moorage.v1.container_pb2 import ContainerSpec
from moorage.v1.security_pb2 import DEVICE_TYPE_CHARACTER

if TYPE_CHECKING:
    from pathlib import Path


def asked(*options: str) -> ContainerSpec:
    """Return the spec that a command with ``options`` would ask for."""
    specs: list[ContainerSpec] = []

    @click.command()
    @spec_options
    def command(**given: Any) -> None:
        specs.append(spec_of(**given))

    outcome = CliRunner().invoke(command, [*options, "busybox"])
    if outcome.exit_code:
        raise ValueError(outcome.output)
    return specs[0]


def test_without_options_nothing_is_limited() -> None:
    spec = asked()
    assert not spec.HasField("resources")
    assert not spec.HasField("umask")
    assert not spec.HasField("oom_score_adjust")


def test_memory_and_processors_are_limited() -> None:
    resources = asked(
        *("-m", "64m", "--memory-swap", "-1", "--memory-reservation", "32m", "--cpus", "1.5"),
        *("--pids-limit", "100", "-c", "512", "--cpuset-cpus", "0-1", "--cpuset-mems", "0"),
    ).resources
    assert (resources.memory_limit, resources.memory_swap_limit) == (64 * 2**20, -1)
    assert resources.memory_reservation == 32 * 2**20
    assert (resources.nano_cpus, resources.pids_limit) == (1_500_000_000, 100)
    assert (resources.cpu_shares, resources.cpuset_cpus) == (512, "0-1")
    assert resources.cpuset_mems == "0"


def test_quotas_are_in_microseconds() -> None:
    resources = asked("--cpu-period", "50000", "--cpu-quota", "25000").resources
    assert resources.cpu_period.ToTimedelta() == timedelta(milliseconds=50)
    assert resources.cpu_quota.ToTimedelta() == timedelta(milliseconds=25)
    resources = asked("--cpu-rt-period", "500000", "--cpu-rt-runtime", "30000").resources
    assert resources.cpu_rt_period.ToTimedelta() == timedelta(milliseconds=500)
    assert resources.cpu_rt_runtime.ToTimedelta() == timedelta(milliseconds=30)


def test_one_disk_may_have_several_rates() -> None:
    resources = asked(
        *("--device-read-bps", "/dev/sda:1m", "--device-write-iops", "/dev/sda:50"),
        *("--device-write-bps", "/dev/sdb:2k", "--blkio-weight", "300"),
        *("--blkio-weight-device", "/dev/sda:200"),
    ).resources
    first, second = resources.blkio_throttles
    assert (first.path, first.read_bps, first.write_iops) == ("/dev/sda", 2**20, 50)
    assert (second.path, second.write_bps) == ("/dev/sdb", 2048)
    assert resources.blkio_weight == 300
    assert resources.blkio_weights[0].weight == 200


def test_limits_of_the_process_are_its_own() -> None:
    spec = asked(
        *("--ulimit", "nofile=10:20", "--ulimit", "core=-1", "--ulimit", "nproc=5"),
        *("--oom-score-adj", "-5", "--group-add", "audio", "--umask", "027"),
    )
    assert [(r.name, r.soft, r.hard) for r in spec.rlimits] == [
        ("nofile", 10, 20),
        ("core", -1, -1),
        ("nproc", 5, 5),
    ]
    assert (spec.oom_score_adjust, spec.umask) == (-5, 0o27)
    assert spec.supplementary_groups == ["audio"]


def test_the_walls_open_and_close_as_asked() -> None:
    spec = asked(
        *("--cap-add", "NET_ADMIN", "--cap-drop", "ALL", "--init", "--privileged"),
        *("--device", "/dev/fuse", "--device", "/dev/a:/dev/b:rw", "--device", "/dev/c:r"),
        *("--device", "vendor.com/gpu=0", "--device-cgroup-rule", "c 1:* rw"),
        *("--sysctl", "net.core.somaxconn=5", "--security-opt", "no-new-privileges"),
        *("--security-opt", "apparmor=x", "--security-opt", "seccomp=unconfined"),
        *("--security-opt", "mask=/proc/a:/proc/b", "--security-opt", "systempaths=unconfined"),
    )
    assert spec.capabilities_add == ["NET_ADMIN"]
    assert spec.capabilities_drop == ["ALL"]
    assert (spec.init, spec.privileged, spec.no_new_privileges) == (True, True, True)
    shown = [(d.source, d.destination, d.access) for d in spec.devices]
    assert shown == [("/dev/fuse", "", ""), ("/dev/a", "/dev/b", "rw"), ("/dev/c", "", "r")]
    assert spec.cdi_devices == ["vendor.com/gpu=0"]
    [rule] = spec.device_rules
    assert (rule.type, rule.major, rule.access) == (DEVICE_TYPE_CHARACTER, 1, "rw")
    assert not rule.HasField("minor")
    assert spec.sysctls == {"net.core.somaxconn": "5"}
    assert (spec.apparmor_profile, spec.seccomp.unconfined) == ("x", True)
    assert (list(spec.system_paths.masked), spec.system_paths.unconfined) == (
        ["/proc/a", "/proc/b"],
        True,
    )


def test_a_profile_is_read_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "profile.json"
    file.write_text('{"defaultAction": "SCMP_ACT_ERRNO"}')
    spec = asked("--security-opt", f"seccomp={file}")
    assert spec.seccomp.profile == '{"defaultAction": "SCMP_ACT_ERRNO"}'


@pytest.mark.parametrize(
    "options",
    [
        ("--security-opt", "what=ever"),
        ("--security-opt", "seccomp=/no/such/file"),
        ("--device", "/a:b:c:d"),
        ("--device", "fuse"),
        ("--device-cgroup-rule", "x"),
        ("--sysctl", "x"),
        ("--cpus", "x"),
        ("--cpus", "NaN"),
        ("--cpus", "-1"),
        ("--pids-limit", "many"),
        ("--ulimit", "nofile"),
        ("--device-read-bps", "sda:1m"),
        ("--umask", "999"),
    ],
)
def test_what_is_no_limit_is_said(options: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="Error: Invalid value"):
        asked(*options)
