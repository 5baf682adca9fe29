"""docs/reliability.md names tests for every promise, and each of them exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Final

import pytest

REPOSITORY: Final = Path(__file__).parents[2]
TEXT: Final = (REPOSITORY / "docs" / "reliability.md").read_text()
NAMED: Final = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)))
PROMISES: Final = 8


def test_each_promise_names_a_test() -> None:
    rows = re.findall(r"^\| (?:[A-Z].*) \| (`tests/.*) \|$", TEXT, re.MULTILINE)
    assert len(rows) == PROMISES


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_what_is_named_exists(file: str, test: str) -> None:
    tree = ast.parse((REPOSITORY / file).read_text())
    functions = {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert test in functions
