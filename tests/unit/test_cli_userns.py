"""The law: --userns says what the spec will, and nothing that is not a map is one."""

from __future__ import annotations

from typing import Any

import click
import pytest
from click.testing import CliRunner

from moorage.cli.userns_options import USERNS_OPTIONS, userns_fields
from moorage.v1.security_pb2 import IdMapping

ONE = IdMapping(inside=0, host=300000, size=65536)
TWO = IdMapping(inside=70000, host=400000, size=1)


def fields(*words: str) -> tuple[dict[str, Any], str]:
    """Return what words mean for a spec, and what was said of them."""
    found: dict[str, Any] = {}

    def command(**options: Any) -> None:
        found.update(userns_fields(options))
        assert options == {}

    for option in USERNS_OPTIONS:
        command = option(command)
    done = CliRunner().invoke(click.command()(command), words)
    return found, done.output


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ((), {}),
        (("--userns", "host"), {"user_namespace": "host", "gid_mappings": []}),
        (("--userns", "auto"), {"user_namespace": "auto", "gid_mappings": []}),
        (
            ("--userns", "0:300000:65536", "--userns", "70000:400000:1"),
            {"user_namespace": "private", "uid_mappings": [ONE, TWO], "gid_mappings": []},
        ),
        (
            ("--userns", "0:300000:65536", "--gidmap", "70000:400000:1"),
            {"user_namespace": "private", "uid_mappings": [ONE], "gid_mappings": [TWO]},
        ),
    ],
)
def test_words_are_fields(words: tuple[str, ...], meant: dict[str, Any]) -> None:
    assert fields(*words)[0] == meant


@pytest.mark.parametrize("text", ["", "keep-id", "0:1", "0:1:2:3", "-1:1:1", "0:4294967296:1"])
def test_what_is_no_map_is_refused(text: str) -> None:
    found, said = fields("--userns", text)
    assert found == {}
    assert "ID:HOST:SIZE" in said


def test_a_mode_goes_with_no_map() -> None:
    assert "'auto'" in fields("--userns", "auto", "--userns", "0:1:1")[1]
