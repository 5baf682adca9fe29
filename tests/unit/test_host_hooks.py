"""The law: a hook is for whom its file says, and a file is understood whole or refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from moored.errors import SetupRefused
from moored.oci import host_hooks
from moored.oci.host_hooks import Subject

if TYPE_CHECKING:
    from pathlib import Path

FILE: dict[str, Any] = {
    "version": "1.0.0",
    "hook": {"path": "/bin/true", "args": ["true"], "timeout": 5},
    "when": {"always": True},
    "stages": ["createRuntime", "poststop"],
}
ABOUT = Subject("/usr/bin/server", {"com.example.gpu": "yes"}, has_binds=True)


def added(tmp_path: Path, about: Subject = ABOUT, **fields: Any) -> dict[str, Any]:
    """Return the hooks of a runtime spec for which one file was read."""
    (tmp_path / "one.json").write_text(json.dumps({**FILE, **fields}))
    spec: dict[str, Any] = {}
    host_hooks.apply(host_hooks.read(tmp_path), about, spec)
    return spec.get("hooks", {})  # type: ignore[no-any-return]


def test_a_hook_is_executed_at_each_of_its_stages(tmp_path: Path) -> None:
    shown = {"path": "/bin/true", "args": ["true"], "timeout": 5}
    assert added(tmp_path) == {"createRuntime": [shown], "poststop": [shown]}


def test_several_come_in_the_order_of_their_files_names(tmp_path: Path) -> None:
    for name, args in (("20.json", ["b"]), ("10.json", ["a"]), ("30.txt", ["c"])):
        hook = {"path": "/bin/true", "args": args}
        (tmp_path / name).write_text(json.dumps({**FILE, "hook": hook, "stages": ["prestart"]}))
    spec: dict[str, Any] = {}
    host_hooks.apply(host_hooks.read(tmp_path), ABOUT, spec)
    assert [hook["args"] for hook in spec["hooks"]["prestart"]] == [["a"], ["b"]]


@pytest.mark.parametrize(
    ("when", "meant"),
    [
        ({}, False),
        ({"always": False}, False),
        ({"commands": ["^/bin/", "server$"]}, True),
        ({"commands": ["^/bin/"]}, False),
        ({"annotations": {"gpu$": "^yes$"}}, True),
        ({"annotations": {"gpu$": "^no$"}}, False),
        ({"annotations": {"gpu$": "yes", "other": ".*"}}, False),
        ({"hasBindMounts": True}, True),
        ({"hasBindMounts": True, "always": False}, False),
        ({"hasBindMounts": True, "commands": ["server"]}, True),
    ],
)
def test_all_that_is_said_has_to_be_so(tmp_path: Path, when: dict[str, Any], meant: bool) -> None:
    assert bool(added(tmp_path, when=when)) is meant


def test_one_for_bind_mounts_is_for_nobody_without(tmp_path: Path) -> None:
    about = Subject("sh", {}, has_binds=False)
    assert added(tmp_path, about, when={"hasBindMounts": True}) == {}


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"version": "2.0.0"}, "version"),
        ({"stages": []}, "stages"),
        ({"stages": ["later"]}, "stages.0"),
        ({"when": {"always": "yes"}}, "when.always"),
        ({"when": {"never": True}}, "when.never"),
        ({"when": {"commands": ["("]}}, "no regular expression"),
        ({"hook": {"path": "bin/true"}}, "no absolute path"),
        ({"hook": {"path": "/no/such/program"}}, "no program"),
        ({"hook": {"path": "/bin/true", "timeout": 0}}, "hook.timeout"),
        ({"other": 1}, "other"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_file(
    tmp_path: Path, fields: dict[str, Any], why: str
) -> None:
    with pytest.raises(SetupRefused, match=r"one\.json.*") as refusal:
        added(tmp_path, **fields)
    assert why in str(refusal.value)


def test_what_is_no_json_and_no_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SetupRefused, match="cannot read the hooks"):
        host_hooks.read(tmp_path / "nowhere")
    (tmp_path / "one.json").write_text("{")
    with pytest.raises(SetupRefused, match=r"one\.json"):
        host_hooks.read(tmp_path)
