"""The law: what a host lacks is said before a start, by name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from moored.model.spec import Resources, Spec
from moored.oci.host import CgroupMode, Host

_V2 = Host(
    architecture="x86_64",
    kernel="6.1",
    name="here",
    cgroup_mode=CgroupMode.V2,
    controllers=frozenset({"memory"}),
    namespaces=frozenset({"pid", "ipc", "uts", "mnt", "net"}),
    seccomp=True,
    apparmor=False,
    sysctls=frozenset(),
    thermal_throttles=(),
    lowers_oom_score=True,
    limits_swap=True,
    swaps=False,
)


def _fields(host: Host, spec: Spec | None = None) -> list[str]:
    return [violation.field for violation in host.verify(spec or Spec(image="busybox"))]


def test_a_sound_host_is_not_complained_about() -> None:
    assert _fields(_V2) == []


def test_unmounted_cgroups_are_named() -> None:
    assert _fields(replace(_V2, cgroup_mode=CgroupMode.NONE)) == ["host.cgroups"]


@pytest.mark.parametrize("mode", [CgroupMode.V1, CgroupMode.HYBRID])
def test_a_missing_controller_of_v1_is_named(mode: CgroupMode) -> None:
    host = replace(_V2, cgroup_mode=mode, controllers=frozenset({"freezer"}))
    [violation] = host.verify(Spec(image="busybox"))
    assert "devices" in violation.why


def test_a_kernel_without_network_namespaces_can_only_share_the_hosts() -> None:
    host = replace(_V2, namespaces=_V2.namespaces - {"net"})
    assert _fields(host) == ["network"]
    assert _fields(host, Spec(image="busybox", network="host")) == []


def test_a_limit_of_memory_needs_the_memory_controller() -> None:
    limited = Spec(image="busybox", resources=Resources(memory_limit=2**24))
    assert _fields(_V2, limited) == []
    host = replace(_V2, controllers=frozenset())
    assert _fields(host, limited) == ["resources.memory_limit"]
    assert _fields(host) == []


def test_swap_that_cannot_be_limited_is_no_hidden_extra() -> None:
    limited = Spec(image="busybox", resources=Resources(memory_limit=2**24))
    host = replace(_V2, limits_swap=False)
    assert _fields(host, limited) == []
    assert _fields(replace(host, swaps=True), limited) == ["resources.memory_limit"]
    assert _fields(replace(host, swaps=True)) == []


def test_this_host_is_seen_as_it_is() -> None:
    host = Host.look()
    assert host.architecture
    assert host.kernel
    assert "pid" in host.namespaces
