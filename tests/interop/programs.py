"""The program of each language, as tests/interop/Makefile builds it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
_BUILT: Final = HERE / "build"
_ENDS_WITHIN: Final = 90.0

COMMANDS: Final[dict[str, tuple[str, ...]]] = {
    "python": (sys.executable, str(HERE / "python/interop.py")),
    "go": (str(_BUILT / "go/interop"),),
    "java": ("java", "-cp", f"{_BUILT / 'java/classes'}:{_BUILT / 'java/lib'}/*", "Interop"),
    "node": ("node", str(HERE / "node/main.js")),
    "rust": (str(_BUILT / "rust/debug/interop"),),
    "cpp": (str(_BUILT / "cpp/interop"),),
    "ruby": ("ruby", f"-I{_BUILT / 'ruby'}", str(HERE / "ruby/main.rb")),
}


def transcript(language: str, *arguments: str) -> str:
    """Return what the program of ``language`` says; it ends with exit code 0."""
    command = [*COMMANDS[language], *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=_ENDS_WITHIN, check=False
    )
    assert done.returncode == 0, f"{language} ended with {done.returncode}:\n{done.stderr}"
    return done.stdout
