"""Requests that mean the same to both engines: what dockerd's API is sent, and our spec."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from moorage.v1.container_pb2 import ContainerSpec, Resources
from moorage.v1.resources_pb2 import BlkioThrottle, Rlimit
from moorage.v1.security_pb2 import Device, DeviceRule, Seccomp, SystemPaths

MB: Final = 2**20
_ALLOW: Final = "SCMP_ACT_ALLOW"
_BASIC: Final = (
    "execve exit_group read write futex brk close fstat mmap mprotect munmap nanosleep openat"
    " clock_nanosleep set_tid_address set_robust_list rseq prlimit64 getrandom prctl capset capget"
    " chdir setgid setuid setgroups getppid newfstatat rt_sigreturn rt_sigaction rt_sigprocmask"
    " uname readlink readlinkat getuid geteuid getgid getegid exit tgkill gettid sigaltstack"
    " epoll_pwait epoll_ctl fcntl getdents64 pselect6 madvise stat lstat access faccessat"
    " faccessat2 dup3 fchown setsid ioctl getpgrp poll lseek sched_yield statfs fstatfs umask pipe2"
)
"""What a runtime and a program need to get as far as being looked at."""
PROFILE: Final = json.dumps(
    {
        "defaultAction": "SCMP_ACT_ERRNO",
        "archMap": [
            {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]},
            {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]},
        ],
        "syscalls": [
            {"names": ["ptrace"], "action": _ALLOW, "includes": {"minKernel": "4.8"}},
            {"names": ["mount"], "action": _ALLOW, "includes": {"caps": ["CAP_BPF"]}},
            {"names": ["bpf"], "action": _ALLOW, "excludes": {"caps": ["CAP_CHOWN"]}},
            {"names": ["getpid"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
            {
                "names": ["personality"],
                "action": _ALLOW,
                "args": [{"index": 0, "value": 8, "op": "SCMP_CMP_EQ"}],
            },
            {"names": ["arch_prctl"], "action": _ALLOW, "includes": {"arches": ["amd64"]}},
            {"names": _BASIC.split(), "action": _ALLOW},
        ],
    }
)


@dataclass(frozen=True)
class Pair:
    """One request, in both languages: dockerd's Config and HostConfig, and fields of our spec."""

    name: str
    config: dict[str, Any] = field(default_factory=dict)
    host: dict[str, Any] = field(default_factory=dict)
    ours: dict[str, Any] = field(default_factory=dict)

    @property
    def docker(self) -> dict[str, Any]:
        host = {"NetworkMode": "none", **self.host}
        return {
            "Image": "busybox:latest",
            "Cmd": ["sleep", "1000"],
            **self.config,
            "HostConfig": host,
        }

    @property
    def spec(self) -> ContainerSpec:
        return ContainerSpec(
            **{"image": "busybox", "args": ["sleep", "1000"], "network": "none", **self.ours}
        )


def limits(name: str, host: dict[str, Any], **resources: Any) -> Pair:
    return Pair(name, host=host, ours={"resources": Resources(**resources)})


PAIRS: Final = (
    Pair("plain"),
    Pair(
        "an entrypoint with arguments",
        {"Entrypoint": ["/bin/sh", "-c"], "Cmd": ["sleep 1000"]},
        ours={"command": ["/bin/sh", "-c"], "args": ["sleep 1000"]},
    ),
    Pair("environment", {"Env": ["A=1", "B="]}, ours={"env": ["A=1", "B="]}),
    Pair("a path of its own", {"Env": ["PATH=/bin"]}, ours={"env": ["PATH=/bin"]}),
    Pair("working directory", {"WorkingDir": "/tmp"}, ours={"working_dir": "/tmp"}),
    Pair("a user by number", {"User": "1000"}, ours={"user": "1000"}),
    Pair("a user and group by number", {"User": "1000:1001"}, ours={"user": "1000:1001"}),
    Pair(
        "further groups",
        host={"GroupAdd": ["44", "45"]},
        ours={"supplementary_groups": ["44", "45"]},
    ),
    Pair("host name", {"Hostname": "web"}, ours={"hostname": "web"}),
    Pair(
        "domain name",
        {"Hostname": "web", "Domainname": "example.org"},
        ours={"hostname": "web", "domain_name": "example.org"},
    ),
    Pair("terminal", {"Tty": True}, ours={"tty": True}),
    limits("memory without swap", {"Memory": 64 * MB, "MemorySwap": 64 * MB}, memory_limit=64 * MB),
    limits(
        "memory and swap",
        {"Memory": 64 * MB, "MemorySwap": 96 * MB},
        memory_limit=64 * MB,
        memory_swap_limit=96 * MB,
    ),
    limits(
        "all swap",
        {"Memory": 64 * MB, "MemorySwap": -1},
        memory_limit=64 * MB,
        memory_swap_limit=-1,
    ),
    limits("memory reservation", {"MemoryReservation": 32 * MB}, memory_reservation=32 * MB),
    limits("processes", {"PidsLimit": 100}, pids_limit=100),
    limits("processor shares", {"CpuShares": 512}, cpu_shares=512),
    limits("processors", {"NanoCpus": 1_500_000_000}, nano_cpus=1_500_000_000),
    limits(
        "quota and period",
        {"CpuQuota": 20_000, "CpuPeriod": 50_000},
        cpu_quota=timedelta(milliseconds=20),
        cpu_period=timedelta(milliseconds=50),
    ),
    limits("a quota alone", {"CpuQuota": 20_000}, cpu_quota=timedelta(milliseconds=20)),
    limits("certain processors", {"CpusetCpus": "0"}, cpuset_cpus="0"),
    limits("certain memory", {"CpusetMems": "0"}, cpuset_mems="0"),
    limits("a weight at disks", {"BlkioWeight": 300}, blkio_weight=300),
    limits(
        "bytes read of a disk",
        {"BlkioDeviceReadBps": [{"Path": "/dev/loop0", "Rate": MB}]},
        blkio_throttles=[BlkioThrottle(path="/dev/loop0", read_bps=MB)],
    ),
    limits(
        "writes to a disk",
        {
            "BlkioDeviceWriteIOps": [{"Path": "/dev/loop0", "Rate": 50}],
            "BlkioDeviceWriteBps": [{"Path": "/dev/loop0", "Rate": MB}],
        },
        blkio_throttles=[BlkioThrottle(path="/dev/loop0", write_bps=MB, write_iops=50)],
    ),
    Pair(
        "rlimits",
        host={
            "Ulimits": [
                {"Name": "nofile", "Soft": 64, "Hard": 128},
                {"Name": "core", "Soft": 0, "Hard": 0},
            ]
        },
        ours={
            "rlimits": [
                Rlimit(name="nofile", soft=64, hard=128),
                Rlimit(name="core", soft=0, hard=0),
            ]
        },
    ),
    Pair("out-of-memory score", host={"OomScoreAdj": 500}, ours={"oom_score_adjust": 500}),
    Pair(
        "a capability more",
        host={"CapAdd": ["NET_ADMIN"]},
        ours={"capabilities_add": ["NET_ADMIN"]},
    ),
    Pair("a capability less", host={"CapDrop": ["CHOWN"]}, ours={"capabilities_drop": ["CHOWN"]}),
    Pair("no capability", host={"CapDrop": ["ALL"]}, ours={"capabilities_drop": ["ALL"]}),
    Pair(
        "one capability",
        host={"CapDrop": ["ALL"], "CapAdd": ["CHOWN"]},
        ours={"capabilities_drop": ["ALL"], "capabilities_add": ["CHOWN"]},
    ),
    Pair("every capability", host={"CapAdd": ["ALL"]}, ours={"capabilities_add": ["ALL"]}),
    Pair(
        "capabilities of another user",
        {"User": "1000"},
        {"CapAdd": ["NET_ADMIN"]},
        {"user": "1000", "capabilities_add": ["NET_ADMIN"]},
    ),
    Pair(
        "no new privileges",
        host={"SecurityOpt": ["no-new-privileges"]},
        ours={"no_new_privileges": True},
    ),
    Pair(
        "no filter",
        host={"SecurityOpt": ["seccomp=unconfined"]},
        ours={"seccomp": Seccomp(unconfined=True)},
    ),
    Pair(
        "a filter of its own",
        host={"SecurityOpt": [f"seccomp={PROFILE}"]},
        ours={"seccomp": Seccomp(profile=PROFILE)},
    ),
    Pair("privileged", host={"Privileged": True}, ours={"privileged": True}),
    Pair(
        "a device",
        host={
            "Devices": [
                {
                    "PathOnHost": "/dev/fuse",
                    "PathInContainer": "/dev/fuse",
                    "CgroupPermissions": "rwm",
                }
            ]
        },
        ours={"devices": [Device(source="/dev/fuse")]},
    ),
    Pair(
        "a device elsewhere",
        host={
            "Devices": [
                {
                    "PathOnHost": "/dev/loop0",
                    "PathInContainer": "/dev/disk",
                    "CgroupPermissions": "r",
                }
            ]
        },
        ours={"devices": [Device(source="/dev/loop0", destination="/dev/disk", access="r")]},
    ),
    Pair(
        "a rule for devices",
        host={"DeviceCgroupRules": ["c 10:* rw"]},
        ours={"device_rules": [DeviceRule(type="DEVICE_TYPE_CHARACTER", major=10, access="rw")]},
    ),
    Pair(
        "a setting of the network's",
        host={"Sysctls": {"net.core.somaxconn": "321"}},
        ours={"sysctls": {"net.core.somaxconn": "321"}},
    ),
    Pair(
        "a setting of IPC's",
        host={"Sysctls": {"kernel.shmmax": "65536"}},
        ours={"sysctls": {"kernel.shmmax": "65536"}},
    ),
    Pair("the host's network", host={"NetworkMode": "host"}, ours={"network": "host"}),
    Pair("the host's IPC", host={"IpcMode": "host"}, ours={"ipc": "host"}),
    Pair("the host's processes", host={"PidMode": "host"}, ours={"pid": "host"}),
    Pair("the host's name", host={"UTSMode": "host"}, ours={"uts": "host"}),
    Pair(
        "a root that is read-only", host={"ReadonlyRootfs": True}, ours={"read_only_rootfs": True}
    ),
    Pair("shared memory", host={"ShmSize": 32 * MB}, ours={"shm_size": 32 * MB}),
    Pair(
        "nothing hidden",
        host={"MaskedPaths": [], "ReadonlyPaths": []},
        ours={"system_paths": SystemPaths(unconfined=True)},
    ),
)
