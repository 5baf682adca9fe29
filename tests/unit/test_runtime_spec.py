"""The law: a spec and an image become one runtime spec, with defaults no weaker than usual."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from moored import errors
from moored.model.identity import ContainerId, run_id
from moored.model.limits import UNLIMITED, BlkioThrottle, Resources, Rlimit
from moored.model.spec import Image, Spec
from moored.model.users import Identity
from moored.oci import runtime_spec
from moored.oci.devices import Node
from moored.oci.host import CgroupMode, Host
from moored.oci.lending import Lent
from moored.oci.runtime_spec import SpecRequest
from tests.unit.hosts import V2

if TYPE_CHECKING:
    from collections.abc import Mapping

_CONTAINER = ContainerId("0123456789abcdef" * 2)
_HOST = replace(V2, thermal_throttles=("/sys/devices/system/cpu/cpu0/thermal_throttle",))
_ROOT = Identity(0, 0, (0,), "/root")
_IMAGE = Image("busybox", "sha256:0", "sha256:1", entrypoint=("/enter",), args=("by", "default"))


def _built(
    spec: Spec | None = None,
    image: Image = _IMAGE,
    host: Host = _HOST,
    who: Identity | None = _ROOT,
    joined: Mapping[str, str] | None = None,
    **files: str,
) -> dict[str, Any]:
    request = SpecRequest(
        container=_CONTAINER,
        run=run_id(_CONTAINER, 1),
        spec=spec or Spec(image="busybox"),
        image=image,
        cgroup="/moorage/x.1",
        files={f"/etc/{name}": path for name, path in files.items()},
        host=host,
        who=who,
        namespaces=joined or {},
    )
    built: dict[str, Any] = json.loads(runtime_spec.build(request))
    return built


def _namespaces(built: dict[str, Any]) -> set[str]:
    return {namespace["type"] for namespace in built["linux"]["namespaces"]}


@pytest.mark.parametrize(
    ("command", "args", "line"),
    [
        ((), (), ["/enter", "by", "default"]),
        ((), ("mine",), ["/enter", "mine"]),
        (("/other",), (), ["/other"]),
        (("/other", "-x"), ("mine",), ["/other", "-x", "mine"]),
    ],
)
def test_a_command_replaces_the_entrypoint_and_drops_the_default_arguments(
    command: tuple[str, ...], args: tuple[str, ...], line: list[str]
) -> None:
    assert _built(Spec(image="busybox", command=command, args=args))["process"]["args"] == line


def test_without_any_command_there_is_no_spec() -> None:
    with pytest.raises(errors.SpecFailed, match="names a command"):
        _built(image=replace(_IMAGE, entrypoint=(), args=()))


def test_the_spec_overrides_the_images_environment_and_that_ours() -> None:
    image = replace(_IMAGE, env=("PATH=/image", "A=image", "B=image", "BROKEN"))
    env = _built(Spec(image="busybox", env=("B=spec", "C=a=b")), image)["process"]["env"]
    ours = ["HOME=/root", "HOSTNAME=0123456789ab"]
    assert sorted(env) == ["A=image", "B=spec", "C=a=b", *ours, "PATH=/image"]


def test_a_path_is_set_where_nobody_sets_one() -> None:
    env = _built()["process"]["env"]
    assert "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" in env


@pytest.mark.parametrize(
    ("asked", "of_image", "directory"),
    [("", "", "/"), ("", "srv", "/srv"), ("", "/srv", "/srv"), ("/mine", "/srv", "/mine")],
)
def test_the_working_directory_is_absolute(asked: str, of_image: str, directory: str) -> None:
    built = _built(Spec(image="busybox", working_dir=asked), replace(_IMAGE, working_dir=of_image))
    assert built["process"]["cwd"] == directory


@pytest.mark.parametrize(
    ("asked", "of_image", "user"),
    [("", "", "0"), ("", "7", "7"), ("", "7:8", "7:8"), ("5:6", "7:8", "5:6"), ("a", "7:8", "a")],
)
def test_the_user_is_the_specs_or_the_images_or_root(asked: str, of_image: str, user: str) -> None:
    spec, image = Spec(image="busybox", user=asked), replace(_IMAGE, user=of_image)
    assert runtime_spec.user_of(spec, image) == user


def test_the_process_is_who_was_found_with_all_groups_and_their_home() -> None:
    process = _built(who=Identity(5, 6, (6, 7), "/home/five"))["process"]
    assert process["user"] == {"uid": 5, "gid": 6, "additionalGids": [6, 7]}
    assert "HOME=/home/five" in process["env"]
    env = _built(Spec(image="busybox", env=("HOME=/mine",)), who=Identity(5, 6, (6,)))
    assert [e for e in env["process"]["env"] if e.startswith("HOME")] == ["HOME=/mine"]


def test_a_name_that_was_not_looked_up_yet_shows_as_one_in_a_plan() -> None:
    process = _built(Spec(image="busybox", user="daemon"), who=None)["process"]
    assert process["user"] == {"username": "daemon"}
    assert not any(entry.startswith("HOME=") for entry in process["env"])


def test_root_gets_the_default_capabilities_and_others_only_their_bound() -> None:
    of_root = _built()["process"]["capabilities"]
    of_other = _built(who=Identity(1, 1, (1,)))["process"]["capabilities"]
    assert of_root["effective"] == of_root["permitted"] == of_root["bounding"]
    assert len(of_root["bounding"]) == 14
    assert "inheritable" not in of_root
    assert of_other == {"bounding": of_root["bounding"]}


def test_every_namespace_is_private() -> None:
    assert _namespaces(_built()) == {"pid", "ipc", "uts", "mount", "network", "cgroup"}


@pytest.mark.parametrize("mode", [CgroupMode.V1, CgroupMode.HYBRID])
def test_on_v1_there_is_no_cgroup_namespace(mode: CgroupMode) -> None:
    assert "cgroup" not in _namespaces(_built(host=replace(_HOST, cgroup_mode=mode)))


def test_with_the_hosts_network_its_name_is_kept_and_its_settings_are_not_touched() -> None:
    built = _built(Spec(image="busybox", network="host"))
    assert _namespaces(built) == {"pid", "ipc", "uts", "mount", "cgroup"}
    assert "hostname" not in built
    assert "sysctl" not in built["linux"]
    assert "HOSTNAME=the-host" in built["process"]["env"]


def test_in_anothers_network_its_settings_are_not_touched() -> None:
    built = _built(Spec(image="busybox", network="container:web"), joined={"network": "/p"})
    assert "sysctl" not in built["linux"]
    (network,) = [n for n in built["linux"]["namespaces"] if n["type"] == "network"]
    assert network == {"type": "network", "path": "/p"}


def test_the_domain_is_the_kernels_to_tell() -> None:
    built = _built(Spec(image="busybox", domain_name="example.org"))
    assert built["linux"]["sysctl"]["kernel.domainname"] == "example.org"


def test_the_host_name_is_what_was_asked_for_or_the_short_id() -> None:
    assert _built()["hostname"] == "0123456789ab"
    assert _built(Spec(image="busybox", hostname="web.example"))["hostname"] == "web.example"


def test_only_sysctls_that_the_kernel_has_are_set() -> None:
    assert "sysctl" not in _built(host=replace(_HOST, sysctls=frozenset()))["linux"]


def test_files_of_the_host_are_bound_last() -> None:
    mounts = _built(hosts="/run/x/hosts")["mounts"]
    assert mounts[-1] == {
        "destination": "/etc/hosts",
        "type": "bind",
        "source": "/run/x/hosts",
        "options": ["bind", "rprivate"],
    }


def test_kernel_settings_are_masked_or_read_only() -> None:
    linux = _built()["linux"]
    assert {"/proc/kcore", "/proc/keys", "/sys/firmware"} <= set(linux["maskedPaths"])
    assert "/sys/devices/system/cpu/cpu0/thermal_throttle" in linux["maskedPaths"]
    assert {"/proc/sys", "/proc/sysrq-trigger"} <= set(linux["readonlyPaths"])


def test_the_first_rule_for_devices_denies_all() -> None:
    devices = _built()["linux"]["resources"]["devices"]
    assert devices[0] == {"allow": False, "access": "rwm"}
    assert all(device["allow"] for device in devices[1:])


def test_a_filter_is_on_where_the_kernel_has_filters() -> None:
    assert "seccomp" in _built()["linux"]
    assert "seccomp" not in _built(host=replace(_HOST, seccomp=False))["linux"]


def test_the_oom_score_is_set_only_where_that_is_allowed() -> None:
    assert _built()["process"]["oomScoreAdj"] == 0
    assert "oomScoreAdj" not in _built(host=replace(_HOST, lowers_oom_score=False))["process"]


def test_the_same_request_gives_the_same_bytes() -> None:
    request = SpecRequest(
        _CONTAINER, run_id(_CONTAINER, 1), Spec(image="busybox"), _IMAGE, "/m/x.1", {}, _HOST, _ROOT
    )
    assert runtime_spec.build(request) == runtime_spec.build(request)


def test_memory_is_limited_only_where_it_was_asked_for() -> None:
    assert "memory" not in _built()["linux"]["resources"]


def test_a_limit_of_memory_is_one_of_memory_and_swap_together() -> None:
    limited = Spec(image="busybox", resources=Resources(memory_limit=2**24))
    memory = _built(limited)["linux"]["resources"]["memory"]
    assert memory == {"limit": 2**24, "swap": 2**24}
    memory = _built(limited, host=replace(_HOST, limits_swap=False))["linux"]["resources"]["memory"]
    assert memory == {"limit": 2**24}


def test_what_is_shared_with_the_host_is_no_namespace() -> None:
    built = _built(Spec(image="busybox", ipc="host", pid="host", uts="host"))
    assert _namespaces(built) == {"mount", "network", "cgroup"}
    assert "hostname" not in built
    assert "HOSTNAME=the-host" in built["process"]["env"]
    (memory,) = (m for m in built["mounts"] if m["destination"] == "/dev/shm")
    assert (memory["type"], memory["source"]) == ("bind", "/dev/shm")


def test_the_size_of_shared_memory_is_its_owners_to_choose() -> None:
    for size, shown in ((0, "size=67108864"), (4096, "size=4096")):
        mounts = _built(Spec(image="busybox", shm_size=size))["mounts"]
        (memory,) = (m for m in mounts if m["destination"] == "/dev/shm")
        assert shown in memory["options"]


def test_a_root_filesystem_is_read_only_on_request() -> None:
    assert _built(Spec(image="busybox"))["root"]["readonly"] is False
    assert _built(Spec(image="busybox", read_only_rootfs=True))["root"]["readonly"] is True


def test_the_process_has_its_own_limits_score_and_umask() -> None:
    spec = Spec(
        image="busybox",
        rlimits=(Rlimit("nofile", 10, 20), Rlimit("core", 0, UNLIMITED)),
        oom_score_adjust=100,
        umask=0o77,
    )
    process = _built(spec)["process"]
    assert process["rlimits"] == [
        {"type": "RLIMIT_NOFILE", "soft": 10, "hard": 20},
        {"type": "RLIMIT_CORE", "soft": 0, "hard": 2**64 - 1},
    ]
    assert process["oomScoreAdj"] == 100
    assert process["user"]["umask"] == 0o77


def test_a_rate_is_for_the_disk_that_the_host_has_at_its_path() -> None:
    node = Node("/dev/sda", "b", 8, 16, 0o660, 0, 6)
    limits = Resources(blkio_throttles=(BlkioThrottle("/dev/sda", read_bps=5),))
    request = SpecRequest(
        container=_CONTAINER,
        run=run_id(_CONTAINER, 1),
        spec=Spec(image="busybox", resources=limits),
        image=_IMAGE,
        cgroup="/m/x.1",
        files={},
        host=_HOST,
        who=_ROOT,
        lent=Lent(disks={"/dev/sda": node}),
    )
    built = json.loads(runtime_spec.build(request))["linux"]["resources"]["blockIO"]
    assert built == {"throttleReadBpsDevice": [{"major": 8, "minor": 16, "rate": 5}]}
