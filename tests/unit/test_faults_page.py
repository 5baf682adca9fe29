"""What runs of the matrix reported becomes one page, which changes where results did."""

from __future__ import annotations

from typing import Final

from tests.real.matrix import Case, whole
from tools.faults import page, read

_TEST: Final = "test_whatever_breaks_the_world_is_mended"
MATRIX: Final = (
    Case("start", "start.task.after", "error"),
    Case("start", "start.task.after", "hang"),
    Case("exit", "release.task.before", "error"),
)
ON: Final = ("containerd 1.6.20",)


def _report(day: str, *tests: str) -> str:
    suite = f'<testsuite timestamp="{day}T01:00:00" time="90">{"".join(tests)}</testsuite>'
    return f"<testsuites>{suite}</testsuites>"


def _passed(case: Case, seconds: int = 3) -> str:
    return f'<testcase name="{_TEST}[{case}]" time="{seconds}" />'


def _failed(case: Case, *asked: str) -> str:
    properties = "".join(f'<property name="question" value="{name}" />' for name in asked)
    return (
        f'<testcase name="{_TEST}[{case}]"><properties>{properties}</properties>'
        '<failure message="not as it&#10;was">story</failure></testcase>'
    )


def test_of_runs_in_pieces_the_latest_counts_and_what_was_not_run_is_missing() -> None:
    later = _report("2026-01-03", _passed(MATRIX[0]))
    earlier = _report("2026-01-02", _failed(MATRIX[0], "true"))
    runs = read([later, earlier])
    assert (runs.day, runs.minutes) == ("2026-01-03", 3)
    text = page(runs, ON, MATRIX)
    assert "| start.task.after | ok | missing |" in text
    assert "| release.task.before | missing |" in text
    assert "| all |  | 3 | 1 | 0 | 2 |" in text
    assert "What failed" not in text


def test_a_failure_is_of_the_last_question_that_was_asked_and_is_told() -> None:
    text = page(read([_report("2026-01-02", _failed(MATRIX[1], "true", "left"))]), ON, MATRIX)
    assert "| Is anything left, by moored's audit or by a look from outside? | 1 | 1 |" in text
    assert "| Is the state legal and true? | 1 | 0 |" in text
    assert "- `start-start.task.after-hang`: not as it was" in text


def test_what_passed_and_left_something_has_failed() -> None:
    twice = _report("2026-01-02", _passed(MATRIX[2]), _failed(MATRIX[2]))
    assert "| release.task.before | FAILED |" in page(read([twice]), ON, MATRIX)


def test_how_long_each_case_took_changes_nothing() -> None:
    first, second = (_report("2026-01-02", _passed(MATRIX[0], took)) for took in (1, 9))
    assert page(read([first]), ON, MATRIX) == page(read([second]), ON, MATRIX)


def test_every_case_of_the_matrix_has_its_own_cell_and_its_kind_a_meaning() -> None:
    matrix = whole()
    assert len({str(case) for case in matrix}) == len(matrix)
    text = page(read([]), ON, matrix)
    assert text.count("| missing") + text.count(" missing |") >= len(matrix)
