"""docs/faults.md, out of what runs of the matrix of faults reported.

    python -m tools.faults REPORT...    write the page; REPORT is junit's XML of pytest

Runs may be in pieces: of a case that is in several, the latest run counts, and one that is in
none is told to be missing. Nothing that differs from run to run is written for each case, so
that the page changes where results did.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree

from tests.real.matrix import QUESTION, QUESTIONS, Case, whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

PAGE: Final = Path(__file__).parents[1] / "docs" / "faults.md"
_CASE: Final = re.compile(r"test_\w+\[(.+)\]")
_PLACE: Final = re.compile(r"/tmp/[\w./-]+")
"""Where it happened to be: another place in each run."""
_ANSWER_WITHIN: Final = 10.0
_LONGEST_REASON: Final = 160
_HEAD: Final = """\
# The matrix of faults

Written by `make faults`, which breaks every step, undo and release of every verb in every way, on
the real thing ([reliability.md](reliability.md) says how), and after each asks four questions.
"""
_LEGEND: Final = """\
`ok`: all questions were answered well. `FAILED`: see above. `missing`: it was not run. A dash:
there is no such case, since nothing that could be broken in this way is there.
"""
_MEANINGS: Final[Mapping[str, str]] = {
    "error": "moored's own deed fails",
    "hang": "it never ends",
    "kill": "moored is killed there, and started again",
    "cancel": "the caller goes away",
    "containerd": "containerd is killed, and started again",
    "silence": "containerd is stopped for longer than any limit",
    "shim": "all shims are killed",
    "stall": "all shims are stopped for longer than any limit",
    "request": "containerd never gets the request, and moored no answer",
    "reply": "containerd has done it, and moored gets no answer",
    "idle": "the runtime says that it was done, and did nothing",
    "deny": "the runtime did it, and says that it failed",
}


@dataclass(frozen=True)
class Result:
    """What became of one case."""

    failed: bool
    asked: tuple[str, ...] = ()
    """The questions that were asked, in their order: a failure is of the last."""
    reason: str = ""


@dataclass(frozen=True)
class Runs:
    """What all reports say together."""

    results: Mapping[str, Result]
    day: str
    """Of the latest."""
    minutes: float

    def of(self, case: Case) -> Result | None:
        return self.results.get(str(case))


def read(reports: Iterable[str]) -> Runs:
    """Return what the texts of ``reports`` say; later runs replace what earlier ones said."""
    suites = [suite for text in reports for suite in ElementTree.fromstring(text).iter("testsuite")]
    suites.sort(key=lambda suite: suite.get("timestamp", ""))
    results: dict[str, Result] = {}
    for suite in suites:
        results.update(_merged(suite.iter("testcase")))
    seconds = sum(float(suite.get("time", "0")) for suite in suites)
    day = suites[-1].get("timestamp", "")[:10] if suites else ""
    return Runs(results, day, seconds / 60)


def _merged(tests: Iterable[ElementTree.Element]) -> dict[str, Result]:
    """Return the results of one run: what failed at its end has two entries, and has failed."""
    found: dict[str, Result] = {}
    for test in tests:
        match = _CASE.fullmatch(test.get("name", ""))
        if match is None or test.find("skipped") is not None:
            continue
        result = _result(test)
        if not (earlier := found.get(match[1])) or not earlier.failed:
            found[match[1]] = result
    return found


def _result(test: ElementTree.Element) -> Result:
    wrong = test.find("failure")
    if wrong is None:
        wrong = test.find("error")
    asked = tuple(it.get("value", "") for it in test.iter("property") if it.get("name") == QUESTION)
    reason = "" if wrong is None else _PLACE.sub("…", wrong.get("message", ""))
    return Result(wrong is not None, asked, " ".join(reason.split())[:_LONGEST_REASON])


def page(runs: Runs, versions: Sequence[str], matrix: Sequence[Case]) -> str:
    """Return the whole page."""
    lines = [
        _HEAD,
        f"Last run on {runs.day}: {runs.minutes:.0f} minutes, {', '.join(versions)}.\n",
        *_kinds(runs, matrix),
        *_questions(runs, matrix),
        *_failures(runs, matrix),
        "## Case by case\n",
        _LEGEND,
    ]
    for verb in dict.fromkeys(case.verb for case in matrix):
        lines += _verb(runs, verb, [case for case in matrix if case.verb == verb])
    return "\n".join(lines).rstrip() + "\n"


def _kinds(runs: Runs, matrix: Sequence[Case]) -> Iterator[str]:
    """Yield the table of what was done, and how it ended."""
    yield "| kind | what happens | cases | ok | failed | missing |"
    yield "|---|---|---|---|---|---|"
    for kind in dict.fromkeys(case.action for case in matrix):
        yield _row(f"{kind} | {_MEANINGS[kind]}", runs, [c for c in matrix if c.action == kind])
    yield _row("all | ", runs, matrix) + "\n"


def _row(head: str, runs: Runs, matrix: Sequence[Case]) -> str:
    words = Counter(_word(runs.of(case)) for case in matrix)
    return f"| {head} | {len(matrix)} | {words['ok']} | {words['FAILED']} | {words['missing']} |"


def _word(result: Result | None) -> str:
    if result is None:
        return "missing"
    return "FAILED" if result.failed else "ok"


def _questions(runs: Runs, matrix: Sequence[Case]) -> Iterator[str]:
    """Yield the four questions: how often each was asked, and answered badly."""
    results = [result for case in matrix if (result := runs.of(case)) is not None]
    yield "| question | asked | answered badly |"
    yield "|---|---|---|"
    for name, question in QUESTIONS.items():
        asked = sum(name in result.asked for result in results)
        badly = sum(result.failed and result.asked[-1:] == (name,) for result in results)
        yield f"| {question} | {asked} | {badly} |"
    early = sum(result.failed and not result.asked for result in results)
    yield f"| (failed before the first) | | {early} |\n"


def _failures(runs: Runs, matrix: Sequence[Case]) -> Iterator[str]:
    failed = [
        f"- `{case}`: {result.reason}"
        for case in matrix
        if (result := runs.of(case)) is not None and result.failed
    ]
    if failed:
        yield "## What failed\n"
        yield from failed
        yield ""


def _verb(runs: Runs, verb: str, matrix: Sequence[Case]) -> Iterator[str]:
    kinds = tuple(dict.fromkeys(case.action for case in matrix))
    known = {(case.point, case.action): case for case in matrix}
    yield f"### {verb}\n"
    yield f"| | {' | '.join(kinds)} |"
    yield "|---|" + "---|" * len(kinds)
    for point in dict.fromkeys(case.point for case in matrix):
        cells = [
            _word(runs.of(known[point, kind])) if (point, kind) in known else "–" for kind in kinds
        ]
        yield f"| {point} | {' | '.join(cells)} |"
    yield ""


def versions() -> tuple[str, ...]:
    """Return what the matrix runs on."""
    return (
        _said("containerd", r"(v?[0-9]+\.[0-9]+\.[0-9]+)"),
        _said("runc", r"([0-9]+\.[0-9]+\.[0-9]+)"),
        f"Linux {platform.release().split('-')[0]}",
        f"{os.cpu_count()} processors",
    )


def _said(program: str, pattern: str) -> str:
    done = subprocess.run(
        [program, "--version"], capture_output=True, text=True, check=True, timeout=_ANSWER_WITHIN
    )
    match = re.search(pattern, done.stdout)
    return f"{program} {match[1] if match else 'of an unknown version'}"


def main(*reports: str) -> None:
    runs = read(Path(report).read_text(encoding="utf-8") for report in reports)
    PAGE.write_text(page(runs, versions(), whole()), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
