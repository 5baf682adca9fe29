"""Where the output of runs is: two plain files a run, which the runtime's shim appends to.

Nothing here stands between a container and its files: they are made before the task, written
by its shim alone, and stay what they are while moored is dead.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from moored.model.identity import ContainerId, is_id
from moored.streams.floor import floor_path

if TYPE_CHECKING:
    from pathlib import Path

DIRECTORY_MODE: Final = 0o700
FILE_MODE: Final = 0o600


class Stream(StrEnum):
    """In the order in which what was written at the same time is told."""

    STDOUT = "stdout"
    STDERR = "stderr"


BOTH: Final = frozenset(Stream)


@dataclass(frozen=True)
class RunOutput:
    """The files of one run. Beside each lies the index that says when it was written."""

    container: ContainerId
    run: int
    stdout: Path
    stderr: Path

    def path(self, stream: Stream) -> Path:
        return self.stdout if stream is Stream.STDOUT else self.stderr


def index_path(file: Path | str) -> str:
    return f"{file}.index"


class Output:
    """The output below one root. Its calls touch the disk: few and short, but not for free."""

    def __init__(self, root: Path) -> None:
        self.directory: Final = root / "output"

    def paths(self, container: ContainerId, run: int) -> RunOutput:
        """Return where the output of a run is, was or will be."""
        directory = self._home(container) / str(run)
        return RunOutput(container, run, directory / "stdout", directory / "stderr")

    def whose(self, file: str) -> tuple[ContainerId, int]:
        """Return whose output a file of ``paths`` is."""
        home, run, _ = file.rsplit("/", 2)
        return ContainerId(os.path.basename(home)), int(run)

    def create(self, container: ContainerId, run: int) -> RunOutput:
        """Make the files of a new run. FileExistsError: that run has been, and keeps its own."""
        output = self.paths(container, run)
        self.directory.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        self._home(container).mkdir(mode=DIRECTORY_MODE, exist_ok=True)
        output.stdout.parent.mkdir(mode=DIRECTORY_MODE)
        for stream in Stream:
            _create(output.path(stream))
            _create(index_path(output.path(stream)))
            _create(floor_path(output.path(stream)))
        return output

    def find(self, container: ContainerId, run: int) -> RunOutput | None:
        output = self.paths(container, run)
        found = output.stdout.is_file() and output.stderr.is_file()
        return output if found else None

    def runs(self, container: ContainerId) -> list[int]:
        """Return the numbers of the runs whose output is here, oldest first."""
        return sorted(int(name) for name in _names(self._home(container)) if name.isdecimal())

    def containers(self) -> list[ContainerId]:
        """Return whose output is here, whether or not anybody knows the container."""
        return sorted(ContainerId(name) for name in _names(self.directory) if is_id(name))

    def remove_run(self, container: ContainerId, run: int) -> bool:
        """Remove the output of one run. False: there was none."""
        removed = _remove(self.paths(container, run).stdout.parent)
        with suppress(OSError):  # other runs are in it, or it is gone
            self._home(container).rmdir()
        return removed

    def remove(self, container: ContainerId) -> bool:
        """Remove the output of every run of a container. False: there was none."""
        return _remove(self._home(container))

    def _home(self, container: ContainerId) -> Path:
        if not is_id(container):
            raise ValueError(f"cannot name output of {container!r}: not an id of a container")
        return self.directory / container


def _create(file: Path | str) -> None:
    os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, FILE_MODE))


def _names(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []


def _remove(directory: Path) -> bool:
    try:
        shutil.rmtree(directory)
    except FileNotFoundError:
        # Nothing there; or somebody else removes it too, and then it must be gone by now.
        if directory.exists():
            raise
        return False
    return True
