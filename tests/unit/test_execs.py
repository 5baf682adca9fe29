"""What may be executed, and the process that it becomes: the container's but for what is asked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from moored import errors
from moored.model.execs import ExecSpec, WindowSize, violations, window_fault
from moored.model.users import Identity
from moored.oci import capabilities, exec_process

if TYPE_CHECKING:
    from collections.abc import Sequence

CONTAINER: dict[str, Any] = {
    "terminal": False,
    "user": {"uid": 0, "gid": 0, "additionalGids": [0], "umask": 18},
    "args": ["server"],
    "env": ["PATH=/bin", "HOME=/root", "COLOUR=red"],
    "cwd": "/srv",
    "capabilities": capabilities.of_process(0, frozenset({"CAP_KILL", "CAP_CHOWN"})),
    "noNewPrivileges": True,
    "oomScoreAdj": 0,
}
SPEC = json.dumps({"ociVersion": "1.0.2", "process": CONTAINER}).encode()


def built(spec: ExecSpec, who: Identity | None = None) -> dict[str, Any]:
    process: dict[str, Any] = json.loads(exec_process.build(SPEC, spec, who))
    return process


def fields(spec: ExecSpec, *, connected: bool = True) -> list[str]:
    return [violation.field for violation in violations(spec, connected=connected)]


def test_what_is_unset_is_as_the_container_has_it() -> None:
    assert built(ExecSpec(("ls", "-l"))) == {**CONTAINER, "args": ["ls", "-l"]}


def test_what_is_asked_replaces_what_the_container_has() -> None:
    process = built(ExecSpec(("ls",), env=("COLOUR=blue", "NEW=x"), working_dir="/tmp"))
    assert process["env"] == ["PATH=/bin", "HOME=/root", "COLOUR=blue", "NEW=x"]
    assert process["cwd"] == "/tmp"


def test_another_user_has_no_more_than_the_container_and_a_home() -> None:
    process = built(ExecSpec(("id",), user="app"), Identity(5, 6, (6, 7), "/home/app"))
    assert process["user"] == {"uid": 5, "gid": 6, "additionalGids": [6, 7], "umask": 18}
    assert process["capabilities"] == {"bounding": ["CAP_CHOWN", "CAP_KILL"]}
    assert process["noNewPrivileges"] is True
    assert "HOME=/home/app" in process["env"]


@pytest.mark.parametrize(
    ("who", "sets"),
    [(None, {"bounding", "effective", "permitted"}), (Identity(5, 6, (), "/"), {"bounding"})],
)
def test_a_privileged_one_has_what_there_is_and_no_profile_but_is_the_containers_else(
    who: Identity | None, sets: set[str]
) -> None:
    spec = json.loads(SPEC)
    spec["process"]["apparmorProfile"] = "x"
    available = frozenset({"CAP_SYS_ADMIN", "CAP_KILL"})
    made = exec_process.build(
        json.dumps(spec).encode(), ExecSpec(("mount",), privileged=True), who, available=available
    )
    process = json.loads(made)
    assert process["capabilities"] == {name: ["CAP_KILL", "CAP_SYS_ADMIN"] for name in sets}
    assert "apparmorProfile" not in process
    assert process["noNewPrivileges"] is True


def test_a_terminal_has_a_name_unless_it_is_given_another() -> None:
    assert "TERM=xterm" in built(ExecSpec(("sh",), tty=True))["env"]
    assert built(ExecSpec(("sh",), tty=True))["terminal"] is True
    other = built(ExecSpec(("sh",), tty=True, env=("TERM=dumb",)))["env"]
    assert [entry for entry in other if entry.startswith("TERM=")] == ["TERM=dumb"]


@pytest.mark.parametrize("spec", [b"", b"[]", b"{}", b'{"process":null}'])
def test_a_container_without_a_process_is_a_defect_with_a_name(spec: bytes) -> None:
    with pytest.raises(errors.SpecFailed):
        exec_process.build(spec, ExecSpec(("ls",)))


@pytest.mark.parametrize(
    ("spec", "wrong"),
    [
        (ExecSpec(()), ["args"]),
        (ExecSpec(("",)), ["args[0]"]),
        (ExecSpec(("a\0b",)), ["args[0]"]),
        (ExecSpec(("a",), env=("novalue", "A=1", "A=2")), ["env[0]", "env[2]"]),
        (ExecSpec(("a",), working_dir="tmp"), ["working_dir"]),
        (ExecSpec(("a",), working_dir="/a/../b"), ["working_dir"]),
        (ExecSpec(("a",), user="a:b:c"), ["user"]),
    ],
)
def test_what_breaks_a_rule_is_named_by_its_field(spec: ExecSpec, wrong: Sequence[str]) -> None:
    assert fields(spec) == wrong


def test_a_terminal_needs_somebody_in_front_of_it() -> None:
    assert fields(ExecSpec(("sh",), tty=True)) == []
    assert fields(ExecSpec(("sh",), tty=True), connected=False) == ["tty"]


@pytest.mark.parametrize(
    ("width", "height", "fits"),
    [(1, 1, True), (65535, 65535, True), (0, 1, False), (1, 0, False), (65536, 1, False)],
)
def test_a_window_has_a_size_that_the_kernel_can_hold(
    width: int, height: int, *, fits: bool
) -> None:
    assert (window_fault(WindowSize(width, height)) == "") is fits
