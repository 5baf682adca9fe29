"""Can the command be executed? Told from the root filesystem, before any runtime tries.

Law: a refusal here is one that the kernel would make; what is not certain is left to the
runtime. So it is where mounts may cover what is seen.
"""

from __future__ import annotations

import posixpath
import stat
from typing import TYPE_CHECKING, Final, Protocol

from moored import errors

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

_LINE: Final = 256
"""Bytes of a script's first line that the kernel reads."""
_COVERED: Final = ("/dev", "/proc", "/sys")
"""Where every container has something else than its image."""
_MOST_SCRIPTS: Final = 4
"""How deep the kernel follows interpreters that are scripts."""


class Sight(Protocol):
    def stat(self, path: str) -> os.stat_result | None: ...
    def is_link(self, path: str) -> bool: ...
    def read(self, path: str, limit: int) -> bytes: ...


def refuse_unless_executable(program: str, search: str, directory: str, sight: Sight) -> None:
    """Raise CommandNotFound or CommandNotExecutable if ``program`` certainly is not.

    ``search`` is PATH; ``directory``, absolute, is where the process starts.
    """
    places = list(_places(program, search, directory))
    if any(_is_covered(place) for place in places):
        return
    if any(sight.is_link(place) and sight.stat(place) is None for place in places):
        return  # to where only a container has something
    found = {place: status for place in places if (status := sight.stat(place))}
    fit = [place for place, status in found.items() if _may_execute(status)]
    if fit:
        _refuse_without_interpreter(program, fit[0], directory, sight)
    elif "/" in program and found:
        what = "is a directory" if stat.S_ISDIR(found[places[0]].st_mode) else "permission denied"
        raise errors.CommandNotExecutable(f"cannot execute {program!r}: {what}")
    elif any(stat.S_ISREG(status.st_mode) for status in found.values()):
        raise errors.CommandNotExecutable(f"cannot execute {program!r}: permission denied")
    else:
        where = "no such file" if "/" in program else "not found in the container's PATH"
        raise errors.CommandNotFound(f"cannot execute {program!r}: {where}")


def _places(program: str, search: str, directory: str) -> Iterator[str]:
    if "/" in program:
        yield posixpath.join(directory, program)
        return
    for place in search.split(":"):
        yield posixpath.join(directory, place, program)


def _refuse_without_interpreter(program: str, place: str, directory: str, sight: Sight) -> None:
    for _ in range(_MOST_SCRIPTS):
        interpreter = _interpreter(sight.read(place, _LINE))
        if not interpreter:
            return
        place = posixpath.join(directory, interpreter)
        if _is_covered(place):
            return
        status = sight.stat(place)
        if status is None and sight.is_link(place):
            return
        if status is None:
            raise errors.CommandNotFound(
                f"cannot execute {program!r}: its interpreter {interpreter!r} does not exist"
            )
        if not _may_execute(status):
            raise errors.CommandNotExecutable(
                f"cannot execute {program!r}: its interpreter {interpreter!r} cannot be executed"
            )


def _interpreter(head: bytes) -> str:
    """Return what a script's first line names; for anything else, an empty text."""
    if not head.startswith(b"#!"):
        return ""
    words = head[2:].partition(b"\n")[0].split(maxsplit=1)
    return words[0].decode(errors="surrogateescape") if words else ""


def _may_execute(status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode) and bool(status.st_mode & 0o111)


def _is_covered(place: str) -> bool:
    return any(place == top or place.startswith(f"{top}/") for top in _COVERED)
