"""What a container may and may not, seen by code that runs in it.

By default, closer, and opened by a policy that allows it. Which system calls are refused is
told, call by call, by tests of the runtime spec on a real runtime.
"""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from moorage.v1 import container_service_pb2
from moorage.v1.security_pb2 import Device, DeviceRule, Seccomp, SystemPaths
from moored.model.capabilities import DEFAULT, KNOWN, of_mask
from moored.oci import init_program
from moored.oci.host import Host
from tests.real.specs import shell
from tests.real.wire import Wire, refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from moorage.v1.container_pb2 import ContainerSpec
    from tests.real.moored import Moored
    from tests.real.site import Site

pytestmark = pytest.mark.real
POLICY = """
[roles.local]
privileged = true
capabilities = ["ALL"]
devices = ["/dev/fuse", "/dev/loop*", "/tmp/*"]
device_rules = true
cdi_devices = ["moorage.test/*"]
seccomp = "unconfined"
system_paths = true
low_oom_score = true
apparmor_profiles = ["some-profile"]
"""
STATUS = "cat /proc/self/status"


@pytest.fixture(scope="module")
def lenient(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moored]:
    """A moored whose policy allows all of this."""
    policy = tmp_path_factory.mktemp("policy") / "policy.toml"
    policy.write_text(POLICY)
    daemon = site.start_moored({"policy": str(policy)})
    yield daemon
    daemon.stop()
    site.retire_stopped()


@pytest.fixture
async def open_wire(lenient: Moored) -> AsyncIterator[Wire]:
    async with Wire(lenient.address) as connected:
        yield connected


async def printed(wire: Wire, spec: ContainerSpec) -> str:
    async with wire.running(spec) as container:
        return (await wire.printed(container.id)).decode()


async def status(wire: Wire, **fields: Any) -> dict[str, str]:
    lines = (await printed(wire, shell(STATUS, **fields))).splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def effective(found: dict[str, str]) -> frozenset[str]:
    return of_mask(int(found["CapEff"], 16))


async def test_by_default_it_has_the_default_capabilities_a_filter_and_nothing_of_the_hosts(
    wire: Wire,
) -> None:
    found = await status(wire)
    assert effective(found) == DEFAULT
    assert (found["Seccomp"], found["NoNewPrivs"]) == ("2", "0")
    namespaces = "for n in pid ipc uts mnt net; do readlink /proc/self/ns/$n; done"
    own = (await printed(wire, shell(namespaces))).split()
    hosts = {os.readlink(f"/proc/self/ns/{kind}") for kind in ("pid", "ipc", "uts", "mnt", "net")}
    assert len(own) == 5
    assert not set(own) & hosts


async def test_by_default_what_is_the_kernels_is_hidden_or_read_only(wire: Wire) -> None:
    script = """
    for f in /proc/kcore /proc/keys /proc/timer_list /proc/interrupts; do
        [ -e $f ] && [ -n "$(head -c 1 $f 2>/dev/null)" ] && echo readable $f
    done
    for f in /sys/x /proc/sys/kernel/hostname /proc/sysrq-trigger \
        $(ls /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/*/cgroup.procs 2>/dev/null); do
        (echo x > $f) 2>/dev/null && echo writable $f
    done
    ls /sys/firmware | head -1
    """
    assert await printed(wire, shell(script)) == ""


async def test_no_privileges_are_gained_where_that_was_asked_for(wire: Wire) -> None:
    assert (await status(wire, no_new_privileges=True))["NoNewPrivs"] == "1"


async def test_capabilities_can_be_dropped_one_by_one_or_all(wire: Wire) -> None:
    assert effective(await status(wire, capabilities_drop=["ALL"])) == frozenset()
    found = await status(wire, capabilities_drop=["all"], capabilities_add=["chown"])
    assert effective(found) == {"CAP_CHOWN"}
    assert "CAP_NET_RAW" not in effective(await status(wire, capabilities_drop=["NET_RAW"]))


async def test_settings_of_its_own_namespaces_are_its_own(wire: Wire) -> None:
    settings = {"net.core.somaxconn": "321", "kernel.msgmax": "4096"}
    script = "cat /proc/sys/net/core/somaxconn /proc/sys/kernel/msgmax"
    assert (await printed(wire, shell(script, sysctls=settings))).split() == ["321", "4096"]


async def test_more_of_proc_can_be_hidden(wire: Wire) -> None:
    paths = SystemPaths(masked=["/proc/cpuinfo"], read_only=["/proc/self/oom_score_adj"])
    assert await printed(wire, shell("cat /proc/cpuinfo", system_paths=paths)) == ""


async def test_a_stricter_profile_is_the_filter(wire: Wire) -> None:
    names = ["mkdir", "mkdirat"]
    default = json.loads((await planned(wire, shell("true"))).runtime_spec)["linux"]["seccomp"]
    rules = [
        {**rule, "names": [n for n in rule["names"] if n not in names]}
        for rule in default["syscalls"]
    ]
    stricter = Seccomp(profile=json.dumps({**default, "syscalls": rules}))
    script = "mkdir /x 2>&1 || echo refused"
    assert "refused" in await printed(wire, shell(script, seccomp=stricter))
    assert await printed(wire, shell(script)) == ""


async def planned(wire: Wire, spec: ContainerSpec) -> container_service_pb2.Plan:
    request = container_service_pb2.CreateRequest(spec=spec, validate_only=True)
    return (await wire.containers.Create(request, timeout=30, wait_for_ready=True)).plan


@pytest.mark.parametrize(
    ("field", "rule", "fields"),
    [
        ("privileged", "privileged", {"privileged": True}),
        ("capabilities_add[0]", "capabilities", {"capabilities_add": ["SYS_ADMIN"]}),
        ("devices[0].source", "devices", {"devices": [Device(source="/dev/fuse")]}),
        ("device_rules", "device_rules", {"device_rules": [DeviceRule(access="r")]}),
        ("cdi_devices[0]", "cdi_devices", {"cdi_devices": ["a.com/b=c"]}),
        ("seccomp.unconfined", "seccomp", {"seccomp": Seccomp(unconfined=True)}),
        (
            "seccomp.profile",
            "seccomp",
            {"seccomp": Seccomp(profile='{"defaultAction": "SCMP_ACT_ALLOW"}')},
        ),
        ("system_paths.unconfined", "system_paths", {"system_paths": SystemPaths(unconfined=True)}),
        ("apparmor_profile", "apparmor_profiles", {"apparmor_profile": "unconfined"}),
    ],
)
async def test_walls_do_not_come_down_without_the_policys_leave(
    wire: Wire, field: str, rule: str, fields: dict[str, Any]
) -> None:
    refusal = await refused(wire.create(shell("true", **fields)))
    assert refusal.code is grpc.StatusCode.PERMISSION_DENIED
    assert refusal.reason == "NOT_ALLOWED_BY_POLICY"
    assert refusal.fields == (f"spec.{field}",)
    assert refusal.metadata["rule"] == rule


async def test_s20_apparmor_is_named_and_refused_where_it_is_not_available(
    open_wire: Wire, wire: Wire
) -> None:
    if Host.look().apparmor:
        pytest.skip("this host has AppArmor")
    assert (await wire.server()).apparmor == "not available: this kernel has no AppArmor"
    refusal = await refused(open_wire.create(shell("true", apparmor_profile="some-profile")))
    assert (refusal.reason, refusal.fields) == ("INVALID_FIELD", ("spec.apparmor_profile",))
    assert "not available" in refusal.message
    refusal = await refused(wire.create(shell("true", selinux_label="system_u")))
    assert (refusal.reason, refusal.fields) == ("NOT_SERVED", ("spec.selinux_label",))


async def test_with_leave_capabilities_are_added_and_no_filter_is_on(open_wire: Wire) -> None:
    available = Host.look().capabilities
    found = await status(open_wire, capabilities_add=["ALL"], seccomp=Seccomp(unconfined=True))
    assert effective(found) == available
    assert found["Seccomp"] == "0"
    added = await status(open_wire, capabilities_add=["SYS_TIME"])
    assert effective(added) == DEFAULT | {"CAP_SYS_TIME"}


async def test_s7_a_capability_that_this_host_does_not_have_is_refused(open_wire: Wire) -> None:
    missing = sorted(frozenset(KNOWN) - Host.look().capabilities)
    if not missing:
        pytest.skip("this host has every capability")
    refusal = await refused(open_wire.create(shell("true", capabilities_add=missing[:1])))
    assert (refusal.reason, refusal.fields) == ("INVALID_FIELD", ("spec.capabilities_add[0]",))


async def test_with_leave_a_container_is_privileged(open_wire: Wire) -> None:
    script = (
        f"{STATUS}; ls /dev/loop0; touch /sys/fs/cgroup/x 2>&1; mount -t tmpfs x /tmp && echo ok"
    )
    shown = await printed(open_wire, shell(script, privileged=True))
    assert "Seccomp:\t0" in shown
    assert "/dev/loop0" in shown
    assert shown.endswith("ok\n")


async def test_with_leave_a_device_is_there_and_can_be_used(open_wire: Wire) -> None:
    device = Device(source="/dev/loop0", destination="/dev/disk", access="r")
    script = "stat -c %t:%T /dev/disk; head -c 0 /dev/disk && echo read; (: > /dev/disk) 2>&1"
    shown = await printed(open_wire, shell(script, devices=[device]))
    assert shown.startswith("7:0\nread\n")
    assert "not permitted" in shown


async def test_with_leave_a_rule_opens_devices_by_number(open_wire: Wire) -> None:
    script = "mknod /kmsg c 1 11; head -c 1 /kmsg > /dev/null && echo read"
    rules = [DeviceRule(type="DEVICE_TYPE_CHARACTER", major=1, minor=11, access="r")]
    spec = shell(script, device_rules=rules, capabilities_add=["SYSLOG"])
    assert await printed(open_wire, spec) == "read\n"


async def test_s7_a_device_that_this_host_does_not_have_is_refused(open_wire: Wire) -> None:
    refusal = await refused(
        open_wire.create(shell("true", devices=[Device(source="/dev/loop-none")]))
    )
    assert (refusal.reason, refusal.fields) == ("INVALID_FIELD", ("spec.devices[0].source",))
    refusal = await refused(open_wire.create(shell("true", cdi_devices=["moorage.test/x=none"])))
    assert (refusal.reason, refusal.fields) == ("INVALID_FIELD", ("spec.cdi_devices[0]",))


async def test_with_an_init_orphans_are_reaped_and_signals_passed_on(wire: Wire) -> None:
    spec = shell("trap 'exit 7' TERM; echo ready; sleep 1000 & wait", init=True)
    if not init_program.find():
        refusal = await refused(wire.create(spec))
        assert refusal.fields == ("spec.init",)
        return
    async with wire.running(spec) as container:
        await wire.until_printed(container.id, "ready")
        await wire.stop(container.id)
        assert (await wire.inspect(container.id)).status.exit.code == 7
    assert await printed(wire, shell("echo $$ $(cat /proc/1/comm)", init=True)) != "1 sh\n"


async def test_s7_the_host_is_looked_at_again_at_each_start(
    site: Site, open_wire: Wire, tmp_path: Path
) -> None:
    node = tmp_path / "device"
    os.mknod(node, stat.S_IFCHR | 0o600, os.makedev(1, 3))
    device = Device(source=str(node), destination="/dev/mine")
    async with open_wire.created(shell("ls /dev/mine", devices=[device])) as container:
        await open_wire.start(container.id)
        await open_wire.wait(container.id)
        assert await open_wire.printed(container.id) == b"/dev/mine\n"
        node.unlink()
        before = site.look()
        refusal = await refused(open_wire.start(container.id))
        assert (refusal.reason, refusal.fields) == ("INVALID_FIELD", ("spec.devices[0].source",))
        assert site.changes_since(before) == []


async def test_s18_what_the_caller_got_wrong_is_refused_before_anything_is_built(
    site: Site, wire: Wire
) -> None:
    before = site.look()
    request = container_service_pb2.StartRequest(
        spec=shell("true", seccomp=Seccomp(profile="{"), capabilities_add=["FLY"])
    )
    refusal = await refused(wire.containers.Start(request, timeout=30, wait_for_ready=True))
    assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
    assert set(refusal.fields) == {"spec.seccomp.profile", "spec.capabilities_add[0]"}
    assert site.changes_since(before) == []
    assert await wire.list() == []
