"""The law: a real runc takes the spec, runs it, and holds the container to it."""

from __future__ import annotations

import os
import platform
import shutil
import struct
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from moored.model import users
from moored.model.identity import ContainerId, run_id
from moored.model.limits import Resources
from moored.model.spec import Image, Spec
from moored.network.naming import Naming
from moored.oci import cgroups, runtime_spec
from moored.oci.host import CgroupMode, Host
from moored.oci.runtime_spec import SpecRequest
from moored.storage.files import GeneratedFiles
from tests.unit.samples import snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_BUSYBOX = Path("/bin/busybox")
_IMAGE = Image("busybox", "sha256:0", "sha256:1", args=("sh",))
_EPERM, _ENOSYS = 1, 38

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root runs containers"),
    pytest.mark.skipif(shutil.which("runc") is None, reason="runc is not installed"),
    pytest.mark.skipif(not _BUSYBOX.exists(), reason="busybox-static is not installed"),
]


@dataclass(frozen=True)
class Bundle:
    """A place where runc finds one container, all its own."""

    directory: Path
    instance: str

    @property
    def rootfs(self) -> Path:
        return self.directory / runtime_spec.ROOT

    def run(self, spec: Spec) -> subprocess.CompletedProcess[str]:
        request = self.request(spec)
        (self.directory / "config.json").write_bytes(runtime_spec.build(request))
        root = self.directory / "runc"
        command = ["runc", "--root", str(root), "run", "--bundle", str(self.directory)]
        return subprocess.run(
            [*command, request.run],
            check=False,
            capture_output=True,
            text=True,
            timeout=30,
            stdin=subprocess.DEVNULL,
        )

    def request(self, spec: Spec) -> SpecRequest:
        container = ContainerId("c0ffee" + "0" * 26)
        run, host = run_id(container, 1), Host.look()
        asked = replace(snapshot(), id=container, spec=spec, network=spec.network or "none")
        texts = Naming().files(asked, runtime_spec.hostname(container, spec, host))
        files = GeneratedFiles(self.directory / "state").write(run, texts)
        cgroup = f"/{self.instance}/{run}"
        who = users.resolve(spec.user or "0", (), "", "")
        return SpecRequest(container, run, spec, _IMAGE, cgroup, files, host, who)

    def sh(self, script: str, spec: Spec | None = None) -> str:
        ended = self.run(replace(spec or Spec(image="busybox"), command=("sh", "-c", script)))
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def errno_of(self, number: int, *values: int) -> int:
        """Return with which error number a single system call ends in the container."""
        program = self.rootfs / "call"
        program.write_bytes(_program_that_calls(number, values))
        program.chmod(0o755)
        return self.run(Spec(image="busybox", command=("/call",))).returncode


@pytest.fixture
def bundle(tmp_path: Path) -> Iterator[Bundle]:
    bundle = Bundle(tmp_path, f"moored-test-{uuid4().hex[:12]}")
    binaries = bundle.rootfs / "bin"
    binaries.mkdir(parents=True)
    shutil.copy(_BUSYBOX, binaries / "busybox")
    for applet in ("sh", "cat", "env", "grep", "hostname", "id", "ip", "ls", "mknod", "stat"):
        (binaries / applet).symlink_to("busybox")
    yield bundle
    cgroup = f"/{bundle.instance}"
    assert cgroups.alive(cgroup) == []
    cgroups.remove(cgroup)


def _program_that_calls(number: int, values: Sequence[int]) -> bytes:
    """Return an x86-64 program that exits with the error number of one system call, or 0."""
    registers = (b"\xbf", b"\xbe", b"\xba")  # mov edi, esi, edx
    loads = [op + struct.pack("<I", v) for op, v in zip(registers, values, strict=False)]
    code = b"".join(
        [
            b"\xb8" + struct.pack("<I", number),  # mov eax, number
            *loads,
            b"\x0f\x05",  # syscall
            b"\x31\xff",  # xor edi, edi
            b"\x85\xc0",  # test eax, eax
            b"\x79\x04",  # jns +4: it worked
            b"\xf7\xd8",  # neg eax
            b"\x89\xc7",  # mov edi, eax
            b"\xb8\x3c\x00\x00\x00",  # mov eax, exit
            b"\x0f\x05",
        ]
    )
    at, size = 0x400000, 120 + len(code)
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    header = struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, at + 120, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, at, at, size, size, 0x1000)
    return ident + header + segment + code


def _status(output: str) -> dict[str, str]:
    return {
        key: value.strip() for key, _, value in (ln.partition(":") for ln in output.split("\n"))
    }


def test_busybox_runs(bundle: Bundle) -> None:
    assert bundle.sh("echo hello") == "hello\n"


def test_nothing_is_left_of_a_run_in_any_hierarchy(bundle: Bundle) -> None:
    bundle.sh("true")
    assert not cgroups.paths(bundle.request(Spec(image="busybox")).cgroup)
    assert cgroups.remove_parent_if_empty(bundle.instance)
    assert not cgroups.paths(f"/{bundle.instance}")


def test_the_process_is_the_first_of_its_own_world(bundle: Bundle) -> None:
    assert bundle.sh("echo $$") == "1\n"


def test_the_container_has_its_own_name_and_knows_it(bundle: Bundle) -> None:
    shown = bundle.sh("hostname; cat /etc/hostname; echo $HOSTNAME; grep c0ffee /etc/hosts")
    assert shown.split() == [*["c0ffee000000"] * 3, "127.0.0.1", "c0ffee000000"]


def test_with_no_network_only_the_loopback_is_there_and_up(bundle: Bundle) -> None:
    links = bundle.sh("ip -o link | grep -v noop; ip -o addr").splitlines()
    assert {line.split(":")[1].split()[0] for line in links if ": " in line} <= {"lo"}
    assert "127.0.0.1/8" in "\n".join(links)


def test_with_the_hosts_network_the_hosts_links_and_name_are_seen(bundle: Bundle) -> None:
    spec = Spec(image="busybox", network="host")
    shown = bundle.sh("hostname; ls /sys/class/net", spec).split()
    assert shown[0] == os.uname().nodename
    assert set(shown[1:]) == set(os.listdir("/sys/class/net"))


def test_root_has_the_default_capabilities_and_no_other(bundle: Bundle) -> None:
    status = _status(bundle.sh("cat /proc/self/status"))
    assert status["CapEff"] == status["CapPrm"] == status["CapBnd"] == "00000000a80425fb"
    assert int(status["CapInh"], 16) == int(status["CapAmb"], 16) == 0


def test_another_user_has_none_but_may_get_them_by_setuid(bundle: Bundle) -> None:
    status = _status(bundle.sh("cat /proc/self/status", Spec(image="busybox", user="1000:1001")))
    assert status["CapEff"] == status["CapPrm"] == "0" * 16
    assert status["CapBnd"] == "00000000a80425fb"
    assert status["Uid"].split()[0] == "1000"
    assert status["Gid"].split()[0] == status["Groups"] == "1001"


def test_a_filter_is_on_and_privileges_may_be_gained_by_setuid(bundle: Bundle) -> None:
    status = _status(bundle.sh("cat /proc/self/status"))
    assert status["Seccomp"] == "2"
    assert status["NoNewPrivs"] == "0"


def test_the_oom_score_is_the_ordinary_one(bundle: Bundle) -> None:
    assert bundle.sh("cat /proc/self/oom_score_adj") == "0\n"


def test_the_working_directory_is_made_where_the_image_has_none(bundle: Bundle) -> None:
    assert bundle.sh("pwd", Spec(image="busybox", working_dir="/srv/new")) == "/srv/new\n"


def test_the_environment_is_what_was_asked_for(bundle: Bundle) -> None:
    shown = bundle.sh("env", Spec(image="busybox", env=("LETTER=ä", "EMPTY=")))
    assert {"LETTER=ä", "EMPTY=", "HOSTNAME=c0ffee000000"} <= set(shown.splitlines())


@pytest.mark.parametrize("path", ["/proc/interrupts", "/proc/keys", "/proc/timer_list"])
def test_what_is_masked_reads_empty(bundle: Bundle, path: str) -> None:
    assert bundle.sh(f"cat {path}") == ""


@pytest.mark.parametrize("path", ["/proc/sysrq-trigger", "/proc/sys/kernel/domainname", "/sys/x"])
def test_what_is_the_hosts_cannot_be_written(bundle: Bundle, path: str) -> None:
    assert bundle.sh(f"echo x > {path} || echo refused") == "refused\n"


def test_devices_beyond_the_list_cannot_be_opened(bundle: Bundle) -> None:
    shown = bundle.sh("mknod /kmsg c 1 11 && cat /kmsg || echo refused; echo x > /dev/null")
    assert shown == "refused\n"


def test_shared_memory_is_limited(bundle: Bundle) -> None:
    mounts = bundle.sh("cat /proc/self/mounts").splitlines()
    [shm] = [line for line in mounts if line.split()[1] == "/dev/shm"]
    assert "size=65536k" in shm


def test_low_ports_and_ping_are_open_in_a_network_of_ones_own(bundle: Bundle) -> None:
    shown = bundle.sh("cd /proc/sys/net/ipv4; cat ip_unprivileged_port_start ping_group_range")
    assert shown.split() == ["0", "0", "2147483647"]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the calls are made in its machine code")
class TestSystemCalls:
    @pytest.mark.parametrize(
        ("number", "values"),
        [
            pytest.param(272, (0x10000000,), id="unshare into a user namespace"),
            pytest.param(165, (0, 0, 0), id="mount"),
            pytest.param(250, (0, 0xFFFFFFFD, 0), id="keyctl"),
            pytest.param(425, (0, 0), id="io_uring_setup"),
            pytest.param(41, (38, 5, 0), id="socket of AF_ALG"),
            pytest.param(41, (40, 1, 0), id="socket of AF_VSOCK"),
            pytest.param(56, (0x10000000 | 17, 0, 0), id="clone into a user namespace"),
            pytest.param(135, (0x0040000,), id="personality without address randomisation"),
            pytest.param(321, (0, 0, 0), id="bpf"),
            pytest.param(246, (0, 0, 0), id="kexec_load"),
            pytest.param(175, (0, 0, 0), id="init_module"),
            pytest.param(298, (0, 0, 0), id="perf_event_open"),
            pytest.param(304, (0, 0, 0), id="open_by_handle_at"),
            pytest.param(323, (0,), id="userfaultfd"),
        ],
    )
    def test_is_refused(self, bundle: Bundle, number: int, values: tuple[int, ...]) -> None:
        assert bundle.errno_of(number, *values) == _EPERM

    @pytest.mark.parametrize(
        ("number", "values"),
        [
            pytest.param(41, (2, 1, 0), id="socket of AF_INET"),
            pytest.param(41, (1, 1, 0), id="socket of AF_UNIX"),
            pytest.param(135, (0xFFFFFFFF,), id="personality, to ask for it"),
            pytest.param(39, (), id="getpid"),
        ],
    )
    def test_is_allowed(self, bundle: Bundle, number: int, values: tuple[int, ...]) -> None:
        assert bundle.errno_of(number, *values) == 0

    def test_clone3_is_not_there_so_that_callers_fall_back(self, bundle: Bundle) -> None:
        assert bundle.errno_of(435, 0, 0) == _ENOSYS


@pytest.mark.skipif(Host.look().cgroup_mode is not CgroupMode.V2, reason="cgroups are not v2 here")
def test_on_v2_the_container_has_its_own_view_of_cgroups(bundle: Bundle) -> None:
    assert bundle.sh("cat /proc/self/cgroup").splitlines()[-1] == "0::/"


@pytest.mark.skipif(Host.look().cgroup_mode is CgroupMode.V2, reason="cgroups are v2 here")
def test_on_v1_the_container_is_in_its_cgroup_of_each_hierarchy(bundle: Bundle) -> None:
    lines = bundle.sh("cat /proc/self/cgroup").splitlines()
    cgroup = bundle.request(Spec(image="busybox")).cgroup
    controllers = {"devices", "freezer", "memory", "pids"}
    places = {line.split(":")[1]: line.split(":")[2] for line in lines}
    assert {places[c] for c in controllers if c in places} == {cgroup}


@pytest.mark.parametrize(
    ("file", "bytes_"),
    [("memory.max", 2**25), ("memory.swap.max", 0)]
    if Host.look().cgroup_mode is CgroupMode.V2
    else [("memory/memory.limit_in_bytes", 2**25), ("memory/memory.memsw.limit_in_bytes", 2**25)],
)
def test_a_container_is_held_to_its_memory_with_swap(
    bundle: Bundle, file: str, bytes_: int
) -> None:
    spec = Spec(image="busybox", resources=Resources(memory_limit=2**25))
    assert bundle.sh(f"cat /sys/fs/cgroup/{file}", spec).strip() == str(bytes_)
