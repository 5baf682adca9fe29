"""The law: a run's cgroup is where the record has it, and its name says whose it is, anywhere."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moored.model import cgroup_places
from moored.model.identity import ContainerId, RunId, run_id
from moored.model.policy import Allowance
from moored.model.policy_rules import forbidden
from moored.model.resources import Kind, Resource
from moored.model.spec import Spec
from moored.oci import cgroup_parents, cgroups
from moored.oci.cgroups import Hierarchy
from tests.unit.samples import snapshot

if TYPE_CHECKING:
    from pathlib import Path

RUN = RunId(f"{'a' * 32}.3")


def test_a_run_lies_with_its_instances_others_or_below_a_parent_with_their_name() -> None:
    assert cgroup_places.place("moorage", "", RUN) == f"/moorage/{RUN}"
    assert cgroup_places.place("moorage", "/batch/low", RUN) == f"/batch/low/moorage-{RUN}"


def test_the_record_says_where_it_is_whatever_the_spec_says_now() -> None:
    run = Resource(Kind.CGROUP, "/elsewhere/x", 3)
    known = replace(snapshot(), run=3, resources=(run,))
    assert cgroup_places.of_run(known, "moorage") == "/elsewhere/x"
    before = run_id(known.id, 2)
    assert cgroup_places.of_run(known, "moorage", 2) == f"/moorage/{before}"


@given(
    container=st.text("0123456789abcdef", min_size=32, max_size=32),
    number=st.integers(1, 10**9),
    instance=st.from_regex(r"\A[a-z0-9][a-z0-9-]{0,30}\Z"),
    other=st.from_regex(r"\A[a-z0-9][a-z0-9-]{0,30}\Z"),
)
def test_a_mark_is_read_by_its_own_instance_alone(
    container: str, number: int, instance: str, other: str
) -> None:
    run = run_id(ContainerId(container), number)
    name = cgroup_places.place(instance, "/batch", run).rpartition("/")[2]
    assert cgroup_places.marked(name, instance) == run
    assert (cgroup_places.marked(name, other) == run) is (other == instance)


@pytest.mark.parametrize("parent", ["/batch", "/kubepods/pod1/x", "/a.slice/b", "/moorage"])
def test_a_plain_path_is_a_parent(parent: str) -> None:
    assert cgroup_places.fault(parent) == ""


@pytest.mark.parametrize(
    ("parent", "why"),
    [
        ("batch", "absolute path"),
        ("batch.slice", "slice of systemd's"),
        ("system.slice:moorage:x", "slice of systemd's"),
        ("/", "plain path"),
        ("//a", "plain path"),
        ("/a/", "plain path"),
        ("/a/../b", "plain path"),
        ("/./a", "plain path"),
        ("/a\0b", "cannot be printed"),
        ("/a\nb", "cannot be printed"),
        (f"/{'a' * 256}", "each part 255"),
        ("/a" * 1025, "at most 2048"),
        (f"/moorage/{RUN}", "cgroup of a run"),
        (f"/batch/moorage-{RUN}/x", "cgroup of a run"),
    ],
)
def test_what_is_no_parent_is_told_why(parent: str, why: str) -> None:
    assert why in cgroup_places.fault(parent)


@pytest.mark.parametrize(
    ("roots", "allowed"),
    [
        ((), False),
        (("/batch",), True),
        (("/batch/",), True),
        (("/",), True),
        (("/bat",), False),
        (("/batch/low/x",), False),
    ],
)
def test_the_policy_says_below_what(roots: tuple[str, ...], allowed: bool) -> None:
    asked = Spec(image="busybox", cgroup_parent="/batch/low")
    found = [(f.field, f.rule) for f in forbidden(asked, Allowance(cgroup_parents=roots))]
    assert found == ([] if allowed else [("cgroup_parent", "cgroup_parents")])


def _v1(root: Path, name: str) -> Hierarchy:
    return Hierarchy(root / name, frozenset({name}), unified=False)


def test_a_parent_has_to_be_in_every_hierarchy_of_v1(tmp_path: Path) -> None:
    mounted = tuple(_v1(tmp_path, name) for name in ("cpu", "memory", "pids"))
    (tmp_path / "cpu" / "batch").mkdir(parents=True)
    (found,) = cgroup_parents.faults("/batch", mounted)
    assert found.field == "cgroup_parent"
    assert str(tmp_path / "memory") in found.why
    assert str(tmp_path / "cpu") not in found.why.replace(str(tmp_path / "cpuset"), "")
    for name in ("memory", "pids"):
        (tmp_path / name / "batch").mkdir(parents=True)
    assert list(cgroup_parents.faults("/batch", mounted)) == []


@pytest.mark.parametrize(
    ("kind", "members", "why"),
    [
        ("domain", "", ""),
        ("domain", "12\n", "processes of its own"),
        ("threaded", "", "only a domain"),
        ("domain invalid", "", "only a domain"),
    ],
)
def test_a_parent_in_v2_is_an_empty_domain(
    tmp_path: Path, kind: str, members: str, why: str
) -> None:
    place = tmp_path / "batch"
    place.mkdir()
    (place / "cgroup.type").write_text(f"{kind}\n")
    (place / "cgroup.procs").write_text(members)
    mounted = (Hierarchy(tmp_path, frozenset({"memory"}), unified=True),)
    found = [violation.why for violation in cgroup_parents.faults("/batch", mounted)]
    assert found == [] if not why else why in found[0]


def test_marked_ones_are_found_in_either_layout_and_what_is_in_them_is_not_looked_at(
    tmp_path: Path,
) -> None:
    inside = tmp_path / "pids" / "batch" / f"here-{RUN}"
    (inside / f"here-{RUN}").mkdir(parents=True)
    (tmp_path / "pids" / "other" / f"there-{RUN}").mkdir(parents=True)
    (tmp_path / "unified" / "deep" / "er" / f"here-{RUN}").mkdir(parents=True)
    v2 = Hierarchy(tmp_path / "unified", frozenset(), unified=True)
    found = cgroups.named_in(
        (_v1(tmp_path, "pids"), v2), lambda name: bool(cgroup_places.marked(name, "here"))
    )
    assert found == {f"/batch/here-{RUN}", f"/deep/er/here-{RUN}"}
