"""The law: a container has each namespace for itself, from the host, or from one that owns it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moored.model import policy_rules, sharing
from moored.model.policy import Allowance
from moored.model.rules import violations
from moored.model.spec import Spec

PLAIN = Spec(image="busybox", name="web")


def changed(fields: dict[str, Any]) -> Spec:
    return replace(PLAIN, **fields)


BAD: list[tuple[str, dict[str, Any]]] = [
    ("ipc", {"ipc": "shared"}),
    ("ipc", {"ipc": "Private"}),
    ("ipc", {"ipc": "container"}),
    ("ipc", {"ipc": "container:"}),
    ("ipc", {"ipc": "container:a/b"}),
    ("ipc", {"ipc": "container:web"}),
    ("pid", {"pid": "shareable"}),
    ("pid", {"pid": "container:-x"}),
    ("pid", {"pid": "container:container:x"}),
    ("uts", {"uts": " host"}),
    ("uts", {"uts": "container:web"}),
    ("shm_size", {"shm_size": -1}),
    ("shm_size", {"shm_size": 4095}),
    ("shm_size", {"shm_size": 2**53 + 1}),
    ("shm_size", {"shm_size": 4096, "ipc": "host"}),
    ("shm_size", {"shm_size": 4096, "ipc": "container:db"}),
    ("hostname", {"hostname": "h", "uts": "host"}),
    ("hostname", {"hostname": "h", "uts": "container:db"}),
]


@pytest.mark.parametrize(("field", "change"), BAD, ids=[f"{f}-{n}" for n, (f, _) in enumerate(BAD)])
def test_each_bad_value_is_named_by_its_field(field: str, change: dict[str, Any]) -> None:
    assert [found.field for found in violations(replace(PLAIN, **change))] == [field]


@pytest.mark.parametrize(
    "change",
    [
        {"ipc": "private", "pid": "private", "uts": "private", "hostname": "h"},
        {"ipc": "shareable", "shm_size": 4096},
        {"ipc": "container:db", "pid": "container:db", "uts": "container:0123abcd"},
        {"ipc": "host", "pid": "host", "uts": "host"},
    ],
)
def test_good_ones_have_no_violation(change: dict[str, Any]) -> None:
    assert violations(replace(PLAIN, **change)) == []


@given(st.text())
def test_a_mode_names_a_container_or_does_not(text: str) -> None:
    assert sharing.reference(f"container:{text}") == text
    assert sharing.reference(text) == "" or text.startswith("container:")


@pytest.mark.parametrize(
    ("kind", "mode", "why"),
    [
        ("ipc", "", "not 'shareable'"),
        ("ipc", "private", "not 'shareable'"),
        ("ipc", "shareable", ""),
        ("ipc", "host", "its own ipc is 'host'"),
        ("pid", "", ""),
        ("pid", "private", ""),
        ("pid", "container:x", "name that one"),
        ("uts", "host", "name that one"),
    ],
)
def test_only_an_owner_can_be_joined(kind: str, mode: str, why: str) -> None:
    found = sharing.why_not_joinable(changed({kind: mode}), kind)
    assert why in found
    assert bool(why) == bool(found)


@pytest.mark.parametrize("kind", sharing.KINDS)
def test_the_hosts_is_for_those_whom_the_policy_allows_it(kind: str) -> None:
    spec = changed({kind: "host"})
    (found,) = policy_rules.forbidden(spec, Allowance())
    assert (found.field, found.rule) == (kind, f"host_{kind}")
    assert (
        policy_rules.forbidden(spec, Allowance(host_ipc=True, host_pid=True, host_uts=True)) == []
    )
