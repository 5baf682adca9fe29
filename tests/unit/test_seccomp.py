"""The law: only calls on the list are allowed, and a capability opens just its own."""

from __future__ import annotations

from typing import Any

import pytest

from moored.oci import capabilities, seccomp


def _profile(*more: str, architecture: str = "x86_64") -> dict[str, Any]:
    return seccomp.allow_list(capabilities.DEFAULT | set(more), architecture)


def _allowed(profile: dict[str, Any]) -> set[str]:
    """Return the calls that are allowed whatever their arguments."""
    rules = profile["syscalls"]
    return {
        n for r in rules if "args" not in r and r["action"].endswith("ALLOW") for n in r["names"]
    }


def _conditions(profile: dict[str, Any], name: str) -> list[tuple[int, str, int, int | None]]:
    return [
        (arg["index"], arg["op"], arg["value"], arg.get("valueTwo"))
        for rule in profile["syscalls"]
        if name in rule["names"]
        for arg in rule.get("args", ())
    ]


def test_what_is_not_on_the_list_is_not_permitted() -> None:
    profile = _profile()
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    assert profile["defaultErrnoRet"] == 1


@pytest.mark.parametrize(
    "name",
    [
        *("add_key", "keyctl", "request_key", "kexec_load", "init_module", "io_uring_setup"),
        *("mount", "umount2", "pivot_root", "move_mount", "fsopen", "setns", "unshare"),
        *("bpf", "perf_event_open", "userfaultfd", "ptrace_peek", "reboot", "swapon", "syslog"),
        *("clock_settime", "settimeofday", "open_by_handle_at", "iopl", "quotactl", "acct"),
        *("clone", "clone3", "socket", "personality", "kcmp", "pidfd_getfd", "vhangup"),
    ],
)
def test_dangerous_calls_are_not_simply_allowed(name: str) -> None:
    assert name not in _allowed(_profile())


@pytest.mark.parametrize("name", ["read", "execve", "futex", "openat", "statx", "rseq", "chroot"])
def test_ordinary_calls_are_allowed(name: str) -> None:
    assert name in _allowed(_profile())


@pytest.mark.parametrize(
    ("capability", "name"),
    [
        ("CAP_SYS_ADMIN", "mount"),
        ("CAP_SYS_ADMIN", "clone3"),
        ("CAP_SYS_TIME", "clock_settime"),
        ("CAP_SYS_MODULE", "init_module"),
        ("CAP_SYSLOG", "syslog"),
    ],
)
def test_a_capability_opens_its_calls(capability: str, name: str) -> None:
    assert name not in _allowed(_profile())
    assert name in _allowed(_profile(capability))


def test_sockets_of_two_families_are_left_out() -> None:
    assert _conditions(_profile(), "socket") == [
        (0, "SCMP_CMP_LT", 38, None),
        (0, "SCMP_CMP_EQ", 39, None),
        (0, "SCMP_CMP_GT", 40, None),
    ]


@pytest.mark.parametrize(("architecture", "index"), [("x86_64", 0), ("aarch64", 0), ("s390x", 1)])
def test_clone_makes_no_namespaces(architecture: str, index: int) -> None:
    profile = _profile(architecture=architecture)
    mask = 0x7E020000
    assert _conditions(profile, "clone") == [(index, "SCMP_CMP_MASKED_EQ", mask, 0)]


def test_clone3_is_answered_as_if_it_did_not_exist() -> None:
    [rule] = [rule for rule in _profile()["syscalls"] if "clone3" in rule["names"]]
    assert (rule["action"], rule["errnoRet"]) == ("SCMP_ACT_ERRNO", 38)


def test_an_architecture_has_its_own_calls_and_relatives() -> None:
    assert "arch_prctl" in _allowed(_profile())
    assert "arch_prctl" not in _allowed(_profile(architecture="aarch64"))
    assert _profile()["architectures"] == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]


def test_an_unknown_architecture_gets_the_runtimes_own_and_the_same_list() -> None:
    profile = _profile(architecture="loongarch64")
    assert "architectures" not in profile
    assert "read" in _allowed(profile)
