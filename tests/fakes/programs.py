"""What a container's process does: the few programs that tests run, known by their words.

``true``, ``false``, ``echo WORDS`` and ``sh -c "exit N"`` end at once; all others stay until a
test or a signal ends them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_EXIT: Final = re.compile(r"exit (\d+)")
_DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Outcome:
    status: int
    output: str = ""


def outcome(args: Sequence[str]) -> Outcome | None:
    """Return what the program did at once, or None if it stays."""
    match (PurePosixPath(args[0]).name, *args[1:]):
        case ("true",):
            return Outcome(0)
        case ("false",):
            return Outcome(1)
        case ("echo", *words):
            return Outcome(0, " ".join(words) + "\n")
        case ("sh", "-c", script) if found := _EXIT.fullmatch(script):
            return Outcome(int(found[1]))
        case _:
            return None


def why_not(layers: Sequence[Path], args: Sequence[str], env: Mapping[str, str]) -> str:
    """Return why runc cannot execute the program, in its words.

    ``layers`` are directories, the topmost first; empty ones say nothing of programs.
    """
    if not any(any(place.iterdir()) for place in layers):
        return ""
    program = args[0]
    if "/" in program:
        return _why_no_file(_found(layers, program), program)
    for place in env.get("PATH", _DEFAULT_PATH).split(":"):
        file = _found(layers, f"{place}/{program}")
        if file is not None and not _why_no_file(file, program):
            return ""
    return f'exec: "{program}": executable file not found in $PATH'


def _why_no_file(file: Path | None, program: str) -> str:
    if file is None:
        return f'exec: "{program}": stat {program}: no such file or directory'
    if file.is_symlink():  # where it leads is the container's to resolve
        return ""
    if file.is_dir() or not file.stat().st_mode & 0o111:
        return f'exec: "{program}": permission denied'
    return ""


def _found(layers: Sequence[Path], program: str) -> Path | None:
    for place in layers:
        file = place / program.lstrip("/")
        if file.is_symlink() or file.exists():
            return file
    return None
