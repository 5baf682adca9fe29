"""The law: a CDI name means what the host's specifications say now; a broken one hides its own."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from moored.oci import cdi, edits

if TYPE_CHECKING:
    from pathlib import Path

KIND = "vendor.com/gpu"


def _write(file: Path, *names: str, kind: str = KIND, **shared: Any) -> None:
    devices = [{"name": n, "containerEdits": {"env": [f"{n}={file.stem}"]}} for n in names]
    specification = {
        "cdiVersion": "0.6.0",
        "kind": kind,
        "devices": devices,
        "containerEdits": shared,
    }
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(specification))


def _env(registry: cdi.Registry, *names: str) -> list[str]:
    return [entry for edit in registry.edits(names) for entry in edit.env]


def test_a_device_brings_its_own_edits_after_those_that_all_share(tmp_path: Path) -> None:
    _write(tmp_path / "a.json", "one", "two", env=["SHARED=1"])
    registry = cdi.look([tmp_path])
    assert _env(registry, f"{KIND}=one", f"{KIND}=two") == ["SHARED=1", "one=a", "two=a"]


def test_yaml_is_read_as_vendors_write_it(tmp_path: Path) -> None:
    (tmp_path / "v.yaml").write_text(
        "cdiVersion: 0.5.0\n"
        "kind: vendor.com/gpu\n"
        "devices:\n"
        "- name: all\n"
        "  containerEdits:\n"
        "    deviceNodes:\n"
        "    - path: /dev/gpu0\n"
        "      fileMode: 0o660\n"
        "    mounts:\n"
        "    - {hostPath: /usr/lib/x.so, containerPath: /lib/x.so, options: [ro, bind]}\n"
        "    hooks:\n"
        "    - {hookName: createContainer, path: /usr/bin/hook, args: [hook, run]}\n"
        "    additionalGids: [44]\n"
    )
    registry = cdi.look([tmp_path])
    [edit] = registry.edits([f"{KIND}=all"])
    assert edit.deviceNodes[0].fileMode == 0o660
    assert edit.deviceNodes[0].path == "/dev/gpu0"
    spec: dict[str, Any] = {
        "process": {"env": ["A=1"], "user": {"uid": 0, "gid": 0, "additionalGids": [0]}},
        "mounts": [],
    }
    edits.apply([edit], spec)
    assert spec["mounts"] == [
        {
            "destination": "/lib/x.so",
            "type": "bind",
            "source": "/usr/lib/x.so",
            "options": ["ro", "bind"],
        }
    ]
    assert spec["hooks"] == {
        "createContainer": [{"path": "/usr/bin/hook", "args": ["hook", "run"]}]
    }
    assert spec["process"]["user"]["additionalGids"] == [0, 44]


def test_the_later_directory_wins(tmp_path: Path) -> None:
    _write(tmp_path / "etc" / "old.json", "one")
    _write(tmp_path / "run" / "new.json", "one")
    registry = cdi.look([tmp_path / "etc", tmp_path / "run"])
    assert _env(registry, f"{KIND}=one") == ["one=new"]
    assert registry.fault(f"{KIND}=one") == ""


def test_two_files_of_one_directory_may_not_claim_the_same_device(tmp_path: Path) -> None:
    _write(tmp_path / "a.json", "one", "two")
    _write(tmp_path / "b.json", "one")
    registry = cdi.look([tmp_path])
    assert "two specifications" in registry.fault(f"{KIND}=one")
    assert registry.fault(f"{KIND}=two") == ""


def test_a_later_directory_settles_what_an_earlier_one_contests(tmp_path: Path) -> None:
    _write(tmp_path / "etc" / "a.json", "one")
    _write(tmp_path / "etc" / "b.json", "one")
    _write(tmp_path / "run" / "c.json", "one")
    assert cdi.look([tmp_path / "etc", tmp_path / "run"]).fault(f"{KIND}=one") == ""


@pytest.mark.parametrize("text", ["", "[]", "{", '{"kind": 5}', '{"kind": "a", "cdiVersion": 1}'])
def test_a_broken_file_hides_only_its_own_devices(tmp_path: Path, text: str) -> None:
    _write(tmp_path / "a.json", "one")
    (tmp_path / "b.json").write_text(text)
    (tmp_path / "notes.txt").write_text(text)
    registry = cdi.look([tmp_path, tmp_path / "absent"])
    assert registry.fault(f"{KIND}=one") == ""
    assert registry.fault(f"{KIND}=other") == "is in none of this host's CDI specifications"


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    _write(file, "one")
    assert cdi.look([tmp_path]).fault(f"{KIND}=two")
    _write(file, "two")
    os.utime(file, ns=(1, 1))
    assert cdi.look([tmp_path]).fault(f"{KIND}=two") == ""
