"""``python -m tests.fuzz TARGET SECONDS``: let atheris look for bytes that break one parser."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["moored"]):
    from tests.fuzz.targets import SEEDS, TARGETS


def main(name: str, seconds: str) -> None:
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(SEEDS[name]):
            Path(corpus, str(number)).write_bytes(seed)
        limits = [f"-max_total_time={seconds}", "-max_len=8192", "-rss_limit_mb=2048"]
        atheris.Setup([sys.argv[0], *limits, corpus], TARGETS[name])
        atheris.Fuzz()


main(*sys.argv[1:])
