"""What each verb answers in each state, as docs/states.md: asked of the service itself.

    python -m tools.states            write it to where it is committed
    python -m tools.states --check    write nothing, and fail if anything differs

The service runs in this process, on a containerd that is a stand-in; nothing is started.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from loguru import logger

from tests.fakes.containerd import FakeContainerd
from tests.faults.answers import VERBS, answer
from tests.faults.scenes import STATES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.faults.answers import Answer

PAGE: Final = Path(__file__).parents[1] / "docs" / "states.md"
_HEAD: Final = """\
# What each verb answers in each state

Written by `python -m tools.states`, which calls each verb on a container in each state; the
tests do the same and compare. No pair answers INTERNAL.

`OK` alone leaves the state as it was; `OK → EXITED` is the state once the call has ended.
Capitals without OK are the reason of an error, which leaves the state as it was. A verb that
finds a start under way waits for its turn: that column shows what it then answers, and Cleanup
pre-empts the start. STARTING is held in the step `task`; STOPPING has a process that does not
listen; REMOVING and STRANDED have leftovers that can be released by now.
"""


async def row(verb: str) -> Mapping[str, Answer]:
    """Return what ``verb`` answers, state by state."""
    return {state: await _ask(state, verb) for state in STATES}


def line(verb: str, answers: Mapping[str, Answer]) -> str:
    """Return one line of the table."""
    cells = " | ".join(_cell(state, answers[state]) for state in STATES)
    return f"| {verb} | {cells} |"


async def page() -> str:
    """Return the whole page."""
    answers = {verb: await row(verb) for verb in VERBS}
    reasons = {a.reason: a.code for row in answers.values() for a in row.values() if a.code != "OK"}
    table = [
        f"| | {' | '.join(state.upper() for state in STATES)} |",
        f"|---|{'---|' * len(STATES)}",
        *(line(verb, answers[verb]) for verb in VERBS),
    ]
    codes = ["| reason | code |", "|---|---|", *_codes(reasons)]
    return "\n".join([_HEAD, *table, "", *codes, ""])


def _codes(reasons: Mapping[str, str]) -> Iterator[str]:
    return (f"| {reason} | {reasons[reason]} |" for reason in sorted(reasons))


def _cell(state: str, given: Answer) -> str:
    what = given.reason
    if given.code == "OK":
        what = f"OK, {given.reason}" if given.reason else "OK"
    return what if given.after == state else f"{what} → {given.after.upper()}"


async def _ask(state: str, verb: str) -> Answer:
    home = Path(tempfile.mkdtemp(prefix="mgs.", dir="/tmp"))  # short: sockets are below it
    try:
        async with FakeContainerd.serving(home / "c.sock") as fake:
            return await answer(home / "one", fake, state, verb)
    finally:
        shutil.rmtree(home)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.states")
    parser.add_argument("--check", action="store_true")
    chosen = parser.parse_args()
    logger.remove()
    written = asyncio.run(page())
    if not chosen.check:
        PAGE.write_text(written)
        return 0
    return 0 if PAGE.read_text() == written else 1


if __name__ == "__main__":
    sys.exit(main())
