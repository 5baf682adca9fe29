"""The law: a profile of the engines' means the same here, and nothing of it is ignored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moored.oci import seccomp
from moored.oci.capabilities import DEFAULT
from moored.oci.seccomp_profile import convert, excess, fault

_ENGINES = Path("/usr/share/containers/seccomp.json")
"""Where the distribution's package of the engines' configuration puts theirs."""


def _rule(*names: str, **more: Any) -> dict[str, Any]:
    return {"names": list(names), "action": "SCMP_ACT_ALLOW", **more}


def _profile(*rules: dict[str, Any], **more: Any) -> str:
    return json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": list(rules), **more})


def _names(profile: str, *, machine: str = "x86_64", kernel: str = "6.1.0-13") -> list[str]:
    converted = convert(profile, DEFAULT | {"CAP_SYS_TIME"}, machine, kernel)
    return [name for rule in converted["syscalls"] for name in rule["names"]]


@pytest.mark.parametrize(
    ("conditions", "applies"),
    [
        ({}, True),
        ({"includes": {"caps": ["CAP_SYS_TIME"]}}, True),
        ({"includes": {"caps": ["CAP_SYS_TIME", "CAP_BPF"]}}, False),
        ({"excludes": {"caps": ["CAP_SYS_TIME"]}}, False),
        ({"excludes": {"caps": ["CAP_BPF"]}}, True),
        ({"includes": {"arches": ["amd64", "x32"]}}, True),
        ({"includes": {"arches": ["arm64"]}}, False),
        ({"excludes": {"arches": ["amd64"]}}, False),
        ({"includes": {"minKernel": "4.8"}}, True),
        ({"includes": {"minKernel": "6.10"}}, False),
        ({"excludes": {"minKernel": "4.8"}}, False),
        ({"includes": {"caps": None, "arches": []}}, True),
    ],
)
def test_a_rule_applies_by_capability_machine_and_kernel(
    conditions: dict[str, Any], *, applies: bool
) -> None:
    assert _names(_profile(_rule("read", **conditions))) == (["read"] if applies else [])


def test_an_architecture_comes_with_its_relatives() -> None:
    families = [
        {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]},
        {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]},
    ]
    text = _profile(archMap=families)
    assert convert(text, DEFAULT, "x86_64", "6.1")["architectures"] == [
        "SCMP_ARCH_X86_64",
        "SCMP_ARCH_X86",
    ]
    assert convert(text, DEFAULT, "aarch64", "6.1")["architectures"][0] == "SCMP_ARCH_AARCH64"
    assert "architectures" not in convert(_profile(), DEFAULT, "x86_64", "6.1")


def test_errors_may_have_numbers_or_names() -> None:
    text = _profile(
        {"name": "read", "action": "SCMP_ACT_ERRNO", "errno": "ENOSYS"},
        {"names": ["write"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5, "errno": "EPERM"},
        defaultErrno="EPERM",
    )
    converted = convert(text, DEFAULT, "x86_64", "6.1")
    assert converted["defaultErrnoRet"] == 1
    assert [(r["names"], r["errnoRet"]) for r in converted["syscalls"]] == [
        (["read"], 38),
        (["write"], 5),
    ]


def test_arguments_are_kept() -> None:
    condition = {"index": 1, "value": 2**63, "op": "SCMP_CMP_MASKED_EQ", "valueTwo": 3}
    [rule] = convert(_profile(_rule("read", args=[condition])), DEFAULT, "x86_64", "6.1")[
        "syscalls"
    ]
    assert rule["args"] == [condition]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "nvalid JSON"),
        ("[]", "should be an object"),
        ("{}", "defaultAction"),
        ('{"defaultAction": "ALLOW"}', "defaultAction"),
        (_profile(surprise=1), "surprise"),
        (_profile(_rule("read", surprise=1)), "surprise"),
        (_profile(listenerPath="/x"), "listenerPath"),
        (_profile(_rule("read", args=[{"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}])), "index"),
        (_profile(_rule("read", args=[{"index": 0, "value": -1, "op": "SCMP_CMP_EQ"}])), "value"),
        (_profile(_rule("read", includes={"minKernel": "new"})), "minKernel"),
        (_profile({"names": ["a"], "action": "SCMP_ACT_ERRNO", "errno": "ENONE"}), "ENONE"),
        (_profile(archMap=[{"architecture": "x"}], architectures=["x"]), "both"),
        ('{"defaultAction": "SCMP_ACT_NOTIFY"}', "defaultAction"),
    ],
)
def test_what_is_no_profile_is_refused_with_its_place(text: str, why: str) -> None:
    assert why in fault(text)


@given(st.text() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_no_text_breaks_the_look(text: str) -> None:
    assert fault(text)


_DEFAULT = seccomp.allow_list(DEFAULT, "x86_64")


def _excess(text: str) -> str:
    return excess(convert(text, DEFAULT, "x86_64", "6.1"), _DEFAULT)


@pytest.mark.parametrize(
    "text",
    [
        _profile(),
        _profile(_rule("read", "write")),
        _profile(_rule("read", args=[{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}])),
        _profile(_rule("socket", args=[{"index": 0, "value": 39, "op": "SCMP_CMP_EQ"}])),
        _profile({"names": ["read"], "action": "SCMP_ACT_KILL"}),
        _profile({"names": ["mount"], "action": "SCMP_ACT_ERRNO"}),
    ],
)
def test_a_profile_that_allows_nothing_more_has_no_excess(text: str) -> None:
    assert _excess(text) == ""


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"defaultAction": "SCMP_ACT_ALLOW"}', "SCMP_ACT_ALLOW"),
        ('{"defaultAction": "SCMP_ACT_LOG"}', "SCMP_ACT_LOG"),
        (_profile(_rule("read", "mount")), "mount"),
        (_profile({"names": ["bpf"], "action": "SCMP_ACT_LOG"}), "bpf"),
        (_profile(_rule("socket")), "socket"),
        (
            _profile(_rule("socket", args=[{"index": 0, "value": 38, "op": "SCMP_CMP_EQ"}])),
            "socket with these arguments",
        ),
        (_profile(flags=["SECCOMP_FILTER_FLAG_SPEC_ALLOW"]), "SPEC_ALLOW"),
    ],
)
def test_what_a_profile_allows_beyond_the_default_is_named(text: str, what: str) -> None:
    assert what in _excess(text)


def test_the_default_does_not_exceed_itself() -> None:
    assert excess(_DEFAULT, _DEFAULT) == ""


@pytest.mark.skipif(not _ENGINES.exists(), reason="the engines' own profile is not installed")
def test_the_engines_own_profile_is_understood() -> None:
    text = _ENGINES.read_text()
    assert fault(text) == ""
    converted = convert(text, DEFAULT, "x86_64", "6.1")
    allowed = {
        name
        for rule in converted["syscalls"]
        if rule["action"] == "SCMP_ACT_ALLOW" and "args" not in rule
        for name in rule["names"]
    }
    assert {"read", "execve"} <= allowed
    assert not {"bpf", "init_module", "kexec_load"} & allowed
