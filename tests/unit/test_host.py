"""The law: what a host lacks is said before a start, by name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from moored.model.limits import UNLIMITED, Resources, Rlimit
from moored.model.spec import Spec
from moored.oci.host import CgroupMode, Host
from tests.unit.hosts import BARE, V2


def _fields(host: Host, spec: Spec | None = None) -> list[str]:
    return [violation.field for violation in host.verify(spec or Spec(image="busybox"))]


def test_a_sound_host_is_not_complained_about() -> None:
    assert _fields(V2) == []


def test_unmounted_cgroups_are_named() -> None:
    assert _fields(replace(V2, cgroup_mode=CgroupMode.NONE)) == ["host.cgroups"]


@pytest.mark.parametrize("mode", [CgroupMode.V1, CgroupMode.HYBRID])
def test_a_missing_controller_of_v1_is_named(mode: CgroupMode) -> None:
    host = replace(V2, cgroup_mode=mode, controllers=frozenset({"freezer"}))
    [violation] = host.verify(Spec(image="busybox"))
    assert "devices" in violation.why


def test_a_kernel_without_network_namespaces_can_only_share_the_hosts() -> None:
    host = replace(V2, namespaces=V2.namespaces - {"net"})
    assert _fields(host) == ["network"]
    assert _fields(host, Spec(image="busybox", network="host")) == []


def test_a_limit_that_this_host_cannot_keep_is_named() -> None:
    limited = Spec(image="busybox", resources=Resources(memory_limit=2**24))
    assert _fields(V2, limited) == []
    assert _fields(BARE, limited) == ["resources.memory_limit"]
    assert _fields(BARE) == []


def test_more_open_files_than_the_kernel_gives_are_refused() -> None:
    fields = ["rlimits[0].hard"]
    assert _fields(V2, Spec(image="x", rlimits=(Rlimit("nofile", 1, 2**21),))) == fields
    assert _fields(V2, Spec(image="x", rlimits=(Rlimit("nofile", 1, UNLIMITED),))) == fields
    assert _fields(V2, Spec(image="x", rlimits=(Rlimit("nofile", 1, 2**10),))) == []
    assert _fields(V2, Spec(image="x", rlimits=(Rlimit("nproc", 1, UNLIMITED),))) == []


def test_a_score_that_cannot_be_set_is_refused() -> None:
    host = replace(V2, lowers_oom_score=False)
    assert _fields(host, Spec(image="x", oom_score_adjust=5)) == ["oom_score_adjust"]
    assert _fields(host) == []


def test_this_host_is_seen_as_it_is() -> None:
    host = Host.look()
    assert host.architecture
    assert host.kernel
    assert "pid" in host.namespaces
