"""The snippets of docs/languages.md, out of the programs in tests/interop.

    python -m tools.languages            write them to where they belong
    python -m tools.languages --check    write nothing, and fail if anything differs

A line ``<!-- go/main.go error -->`` of the page is followed by what lies in that program between
two lines with ``[error]``, as a block of code.
"""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).parents[1]
PAGE: Final = _ROOT / "docs" / "languages.md"
PROGRAMS: Final = _ROOT / "tests" / "interop"
_PLACE: Final = re.compile(r"(?ms)^(<!-- (\S+) ([^\n]+) -->)\n(?:\n```\w+\n.*?\n```\n)?")
_LANGUAGES: Final = {"py": "python", "js": "js", "rs": "rust", "cc": "cpp", "rb": "ruby"}


def filled(page: str) -> str:
    """Return the page with each snippet as its program has it now."""
    return _PLACE.sub(_block, page)


def snippet(program: Path, name: str) -> str:
    """Return what lies between the two marks ``[name]``, without the indentation in common."""
    parts = re.split(rf"(?m)^.*\[{re.escape(name)}\]\n", program.read_text())
    if len(parts) != 3:  # before, between, after
        raise LookupError(f"cannot take {name!r} from {program}: it is to be marked twice")
    return textwrap.dedent(parts[1]).strip("\n")


def _block(place: re.Match[str]) -> str:
    program = PROGRAMS / place[2]
    language = _LANGUAGES.get(program.suffix[1:], program.suffix[1:])
    return f"{place[1]}\n\n```{language}\n{snippet(program, place[3])}\n```\n"


def main() -> int | str:
    parser = argparse.ArgumentParser(prog="python -m tools.languages")
    parser.add_argument("--check", action="store_true")
    chosen = parser.parse_args()
    written = PAGE.read_text()
    if not chosen.check:
        PAGE.write_text(filled(written))
        return 0
    return 0 if filled(written) == written else "docs/languages.md: run `make protos`"


if __name__ == "__main__":
    sys.exit(main())
