"""The commands of ``moored`` that do their work without one that serves, or beside it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Final

from tests.real.command import Ended

if TYPE_CHECKING:
    from tests.real.moored import Moored

ANSWER_WITHIN: Final = 60.0


def moored(daemon: Moored, *words: str) -> Ended:
    """Run ``moored WORDS`` with the settings of ``daemon``."""
    done = subprocess.run(
        [*daemon.command, *words],
        env=daemon.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=ANSWER_WITHIN,
        check=False,
    )
    return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())
