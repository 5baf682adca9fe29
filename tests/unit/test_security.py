"""The law: walls come down only by name and by leave; what makes no sense names its field."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from moored.model import capabilities, security_rules
from moored.model.capabilities import DEFAULT, KNOWN
from moored.model.policy import Allowance
from moored.model.policy_rules import forbidden
from moored.model.security import Device, DeviceRule, Seccomp, SystemPaths
from moored.model.spec import Spec
from moored.oci import confinement, defaults
from tests.unit.hosts import V2

HERE = replace(V2, capabilities=frozenset(KNOWN) - {"CAP_SYS_RESOURCE"})


def _spec(**fields: Any) -> Spec:
    return Spec(image="busybox", **fields)


def _fields(**fields: Any) -> list[str]:
    return [violation.field for violation in security_rules.violations(_spec(**fields))]


@pytest.mark.parametrize(
    ("add", "drop", "granted"),
    [
        ((), (), DEFAULT),
        (("NET_ADMIN",), (), DEFAULT | {"CAP_NET_ADMIN"}),
        (("cap_net_admin",), ("chown",), (DEFAULT | {"CAP_NET_ADMIN"}) - {"CAP_CHOWN"}),
        ((), ("ALL",), frozenset()),
        (("CHOWN",), ("all",), {"CAP_CHOWN"}),
        (("ALL",), (), HERE.capabilities),
        (("ALL",), ("SYS_ADMIN",), HERE.capabilities - {"CAP_SYS_ADMIN"}),
        (("CHOWN",), ("CHOWN",), DEFAULT),
    ],
)
def test_capabilities_are_added_and_dropped_as_engines_do(
    add: tuple[str, ...], drop: tuple[str, ...], granted: frozenset[str]
) -> None:
    assert capabilities.granted(add, drop, HERE.capabilities) == granted


def test_a_mask_of_the_kernels_is_read_bit_by_bit() -> None:
    assert capabilities.of_mask(0xA80425FB) == DEFAULT
    assert capabilities.of_mask(2**41 - 1) == frozenset(KNOWN)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"capabilities_add": ("ALL", "net_admin"), "capabilities_drop": ("CAP_CHOWN",)},
        {"devices": (Device("/dev/fuse"), Device("/dev/fuse", "/dev/other", "rw"))},
        {"device_rules": (DeviceRule("c", 1, None, "rwm"), DeviceRule())},
        {"cdi_devices": ("vendor.com/gpu=0", "nvidia.com/gpu=all")},
        {"sysctls": {"net.core.somaxconn": "5", "kernel.shmmax": "1", "fs.mqueue.msg_max": "9"}},
        {"system_paths": SystemPaths(("/proc/x",), ("/sys/x",))},
        {"apparmor_profile": "my-profile//sub"},
    ],
)
def test_sound_wishes_are_not_complained_about(fields: dict[str, Any]) -> None:
    assert _fields(**fields) == []


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("capabilities_add[1]", {"capabilities_add": ("CHOWN", "FLY")}),
        ("capabilities_drop[0]", {"capabilities_drop": ("",)}),
        ("capabilities_add", {"capabilities_add": ("CHOWN",) * 65}),
        ("devices[0].source", {"devices": (Device("fuse"),)}),
        ("devices[0].source", {"devices": (Device("/dev/../etc/shadow"),)}),
        ("devices[0].source", {"devices": (Device(""),)}),
        ("devices[0].destination", {"devices": (Device("/dev/a", "../b"),)}),
        ("devices[0].access", {"devices": (Device("/dev/a", "", "rr"),)}),
        ("devices[1].destination", {"devices": (Device("/dev/a"), Device("/dev/b", "/dev/a"))}),
        ("devices", {"devices": tuple(Device(f"/dev/{n}") for n in range(300))}),
        ("device_rules[0].access", {"device_rules": (DeviceRule(access="x"),)}),
        ("device_rules[0].major", {"device_rules": (DeviceRule(major=2**31),)}),
        ("cdi_devices[0]", {"cdi_devices": ("gpu",)}),
        ("cdi_devices[0]", {"cdi_devices": ("../x/y=z",)}),
        ("sysctls['kernel.core_pattern']", {"sysctls": {"kernel.core_pattern": "|/x"}}),
        ("sysctls['vm.overcommit_memory']", {"sysctls": {"vm.overcommit_memory": "1"}}),
        ("sysctls['net/../kernel.x']", {"sysctls": {"net/../kernel.x": "1"}}),
        ("sysctls['net..x']", {"sysctls": {"net..x": "1"}}),
        ("sysctls['net.x']", {"sysctls": {"net.x": "1\n2"}}),
        ("sysctls['net.x.y']", {"sysctls": {"net.x.y": "1"}, "network": "host"}),
        ("sysctls['net.x.y']", {"sysctls": {"net.x.y": "1"}, "network": "container:a"}),
        ("sysctls['kernel.sem']", {"sysctls": {"kernel.sem": "1"}, "ipc": "host"}),
        ("system_paths.masked[0]", {"system_paths": SystemPaths(masked=("proc",))}),
        ("system_paths.masked[0]", {"system_paths": SystemPaths(masked=("/",))}),
        ("system_paths.masked[0]", {"system_paths": SystemPaths(masked=("/proc/",))}),
        ("system_paths.read_only[0]", {"system_paths": SystemPaths(read_only=("/a/../b",))}),
        ("apparmor_profile", {"apparmor_profile": "a b"}),
        ("seccomp.profile", {"seccomp": Seccomp("{}", unconfined=True)}),
        ("seccomp.profile", {"seccomp": Seccomp("x" * 300_000)}),
    ],
)
def test_each_wish_that_makes_no_sense_is_named(field: str, fields: dict[str, Any]) -> None:
    assert _fields(**fields) == [field]


@pytest.mark.parametrize(
    ("fields", "field", "rule", "leave"),
    [
        ({"privileged": True}, "privileged", "privileged", {"privileged": True}),
        (
            {"capabilities_add": ("CHOWN", "NET_ADMIN")},
            "capabilities_add[1]",
            "capabilities",
            {"capabilities": ("net_admin",)},
        ),
        (
            {"capabilities_add": ("ALL",)},
            "capabilities_add[0]",
            "capabilities",
            {"capabilities": ("ALL",)},
        ),
        (
            {"devices": (Device("/dev/snd/card0"),)},
            "devices[0].source",
            "devices",
            {"devices": ("/dev/snd/*",)},
        ),
        (
            {"cdi_devices": ("a.com/b=c",)},
            "cdi_devices[0]",
            "cdi_devices",
            {"cdi_devices": ("a.com/*",)},
        ),
        (
            {"device_rules": (DeviceRule("c", 1),)},
            "device_rules",
            "device_rules",
            {"device_rules": True},
        ),
        (
            {"seccomp": Seccomp(unconfined=True)},
            "seccomp.unconfined",
            "seccomp",
            {"seccomp": "unconfined"},
        ),
        (
            {"system_paths": SystemPaths(unconfined=True)},
            "system_paths.unconfined",
            "system_paths",
            {"system_paths": True},
        ),
        (
            {"apparmor_profile": "unconfined"},
            "apparmor_profile",
            "apparmor_profiles",
            {"apparmor_profiles": ("unconfined",)},
        ),
    ],
)
def test_walls_come_down_only_by_leave(
    fields: dict[str, Any], field: str, rule: str, leave: dict[str, Any]
) -> None:
    found = forbidden(_spec(**fields), Allowance())
    assert [(f.field, f.rule) for f in found] == [(field, rule)]
    assert forbidden(_spec(**fields), Allowance(**leave)) == []


def test_a_host_gives_no_capability_that_it_does_not_have() -> None:
    asked = _spec(capabilities_add=("ALL", "SYS_RESOURCE"))
    assert [p.field for p in confinement.problems(asked, HERE)] == ["capabilities_add[1]"]


def test_apparmor_is_told_to_be_there_or_not() -> None:
    with_it = replace(HERE, apparmor=True)
    loaded = replace(with_it, apparmor_profiles=frozenset({"moorage-default", "mine"}))
    assert confinement.apparmor(HERE) == "not available: this kernel has no AppArmor"
    assert confinement.apparmor(with_it).startswith("not available: profile")
    assert confinement.apparmor(loaded) == "moorage-default"
    mine = _spec(apparmor_profile="mine")
    assert [p.field for p in confinement.problems(mine, HERE)] == ["apparmor_profile"]
    assert [p.field for p in confinement.problems(mine, with_it)] == ["apparmor_profile"]
    assert list(confinement.problems(mine, loaded)) == []
    assert confinement.of_process(mine, 0, loaded)["apparmorProfile"] == "mine"
    assert confinement.of_process(_spec(), 0, loaded)["apparmorProfile"] == "moorage-default"
    bare = _spec(apparmor_profile="unconfined")
    assert "apparmorProfile" not in confinement.of_process(bare, 0, loaded)
    assert "apparmorProfile" not in confinement.of_process(_spec(), 0, HERE)


def test_a_setting_that_this_kernel_does_not_have_is_refused() -> None:
    asked = _spec(sysctls={"net.core.somaxconn": "1", "net.no_such_thing": "1"})
    assert [p.field for p in confinement.problems(asked, HERE)] == ["sysctls['net.no_such_thing']"]


def test_settings_join_those_of_every_private_network() -> None:
    settings = confinement.sysctls(_spec(sysctls={"net.ipv4.ping_group_range": "1 1"}), HERE)
    assert settings["net.ipv4.ping_group_range"] == "1 1"
    assert settings["net.ipv4.ip_unprivileged_port_start"] == "0"
    assert confinement.sysctls(_spec(network="host"), HERE) == {}


def test_paths_are_hidden_beside_the_default_ones_or_none_is() -> None:
    more = SystemPaths(masked=("/proc/x", "/proc/kcore"), read_only=("/sys/y",))
    shown = confinement.paths(_spec(system_paths=more), HERE)
    assert shown["maskedPaths"] == [*defaults.MASKED_PATHS, "/proc/x"]
    assert shown["readonlyPaths"] == [*defaults.READONLY_PATHS, "/sys/y"]
    bare = confinement.paths(_spec(system_paths=replace(more, unconfined=True)), HERE)
    assert bare == {"maskedPaths": ["/proc/x", "/proc/kcore"], "readonlyPaths": ["/sys/y"]}


def test_a_privileged_container_has_no_walls_but_its_namespaces() -> None:
    spec = _spec(privileged=True)
    assert confinement.filter_of(spec, HERE) is None
    assert confinement.paths(spec, HERE) == {"maskedPaths": [], "readonlyPaths": []}
    granted = confinement.of_process(spec, 0, HERE)["capabilities"]["effective"]
    assert frozenset(granted) == HERE.capabilities
    for mount in defaults.mounts(privileged=True):
        assert "ro" not in mount["options"]


_READ = {"names": ["read"], "action": "SCMP_ACT_ALLOW"}
STRICTER = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [_READ]}
LOOSER = {"defaultAction": "SCMP_ACT_ALLOW"}


def _profile(profile: object) -> Spec:
    return _spec(seccomp=Seccomp(json.dumps(profile)))


def test_a_stricter_profile_needs_no_leave_and_a_looser_one_does() -> None:
    assert list(confinement.forbidden(_profile(STRICTER), Allowance(), HERE)) == []
    [found] = confinement.forbidden(_profile(LOOSER), Allowance(), HERE)
    assert (found.field, found.rule) == ("seccomp.profile", "seccomp")
    assert list(confinement.forbidden(_profile(LOOSER), Allowance(seccomp="custom"), HERE)) == []


def test_a_profile_is_the_filter() -> None:
    filter_ = confinement.filter_of(_profile(STRICTER), HERE)
    assert filter_ is not None
    assert filter_["syscalls"] == [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]
    assert [f.field for f in confinement.faults(_profile([]))] == ["seccomp.profile"]
