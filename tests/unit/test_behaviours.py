"""docs/behaviours.md names a real test for every behaviour, and each of them exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
ROWS = dict(
    re.findall(
        r"^\| ([SD]\d+) \|.*\| (.*) \|$",
        (REPOSITORY / "docs" / "behaviours.md").read_text(),
        re.MULTILINE,
    )
)
WANTED = (
    *(f"S{number}" for number in (*range(1, 15), *range(18, 21), *range(22, 28), 29, 30, 31)),
    *(f"S{number}" for number in (*range(32, 42), 47, 49, 50)),
    *(f"D{number}" for number in range(1, 5)),
)


def test_every_row_that_is_to_be_kept_is_there() -> None:
    assert set(WANTED) <= set(ROWS)


@pytest.mark.parametrize("row", sorted(ROWS))
def test_the_tests_that_a_row_names_exist_and_are_real(row: str) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", ROWS[row])
    assert named
    for file, test in named:
        text = (REPOSITORY / file).read_text()
        tree = ast.parse(text)
        functions = {
            node.name
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        assert test in functions, f"{row}: {file} has no {test}"
        assert "pytestmark = pytest.mark.real" in text, f"{row}: {file} is not real"
