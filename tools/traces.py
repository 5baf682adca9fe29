"""Draw the traces of docs/traces.md anew, from what a real moored exports.

python -m tools.traces
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from pathlib import Path
from typing import Final

from tests.real.site import Site, build_archive
from tests.real.traced import drawn, lived

DOCUMENT: Final = Path(__file__).parents[1] / "docs" / "traces.md"


def replaced(text: str, name: str, drawing: str) -> str:
    """Return a document with the drawing called ``name`` made anew."""
    block = re.compile(rf"(<!-- {name} -->\n```text\n).*?(\n```)", re.DOTALL)
    assert block.search(text), name
    return block.sub(lambda found: f"{found[1]}{drawing}{found[2]}", text)


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        archive = build_archive(Path(scratch) / "busybox.tar")
        site = Site(archive)
        try:
            stories = asyncio.run(lived(site, archive))
        except BaseException:
            site.demolish()
            raise
        for line in site.close():
            print("left behind:", line)
    text = DOCUMENT.read_text(encoding="utf-8")
    exits = [s.trace for s in stories.spans if s.name == "exit" and stories.run in s.links]
    for name, trace in (("failed", stories.failed), ("good", stories.good), ("exit", exits[0])):
        text = replaced(text, name, drawn(stories.spans, trace))
    DOCUMENT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
