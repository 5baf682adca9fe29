"""The FIFOs of runs and of their execs: a directory a run, below the state directory.

The directory of an exec is its record: made before anything of the exec, removed after all of
it, so that a moored that is started again finds every exec that it has to end or to adopt.
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from moored.model.execs import Exec, ExecId, ExecSpec, is_exec_id
from moored.model.identity import RunId, parse_run_id
from moored.storage import runs

if TYPE_CHECKING:
    from pathlib import Path

_DIRECTORY_MODE: Final = 0o700
_FIFO_MODE: Final = 0o600
_RECORD: Final = "exec.json"
_USED_ONCE: Final = "stdin.used"


@dataclass(frozen=True)
class ExecPlace:
    """Where the FIFOs of one exec are."""

    directory: Path

    @property
    def stdin(self) -> Path:
        return self.directory / "stdin"

    @property
    def stdout(self) -> Path:
        return self.directory / "stdout"

    @property
    def stderr(self) -> Path:
        return self.directory / "stderr"


class Channels:
    def __init__(self, state: Path) -> None:
        self._root: Final = state / "streams"

    def open(self, run: RunId, *, stdin: bool) -> Path | None:
        """Make the place of a run, and return the FIFO of its stdin if it is to have one."""
        place = self._place(run)
        (place / "execs").mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
        if not stdin:
            return None
        fifo = self.stdin(run)
        with suppress(FileNotFoundError):
            fifo.unlink()
        os.mkfifo(fifo, _FIFO_MODE)
        return fifo

    def stdin(self, run: RunId) -> Path:
        return self._place(run) / "stdin"

    def use_once(self, run: RunId) -> None:
        """Put on record that somebody has the stdin that only one may ever have."""
        (self._place(run) / _USED_ONCE).touch(mode=_FIFO_MODE)

    def used_once(self, run: RunId) -> bool:
        return (self._place(run) / _USED_ONCE).exists()

    def record(self, exec_: Exec) -> ExecPlace:
        """Put an exec on record. FileNotFoundError: its run's place is gone, or never was."""
        place = self.place(exec_.run_id, exec_.id)
        place.directory.mkdir(mode=_DIRECTORY_MODE)
        (place.directory / _RECORD).write_text(_written(exec_))
        return place

    def make_fifos(self, place: ExecPlace, *, stdin: bool, stderr: bool) -> None:
        os.mkfifo(place.stdout, _FIFO_MODE)
        if stderr:
            os.mkfifo(place.stderr, _FIFO_MODE)
        if stdin:
            os.mkfifo(place.stdin, _FIFO_MODE)

    def place(self, run: RunId, exec_: ExecId) -> ExecPlace:
        if not is_exec_id(exec_):
            raise ValueError(f"cannot keep streams of {exec_!r}: it is no exec")
        return ExecPlace(self._place(run) / "execs" / exec_)

    def execs(self, run: RunId) -> list[ExecId]:
        """Return the execs that are on record for ``run``."""
        try:
            names = os.listdir(self._place(run) / "execs")
        except FileNotFoundError:
            return []
        return sorted(ExecId(name) for name in names if is_exec_id(name))

    def read(self, run: RunId, exec_: ExecId) -> Exec | None:
        """Return what is on record of an exec. None: it was not written whole."""
        try:
            text = (self.place(run, exec_).directory / _RECORD).read_text()
            return _read(run, exec_, text)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def forget(self, run: RunId, exec_: ExecId) -> None:
        """Remove an exec's record and its FIFOs, if they are there."""
        with suppress(FileNotFoundError):
            shutil.rmtree(self.place(run, exec_).directory)

    def list(self) -> list[RunId]:
        """Return the runs that have something here."""
        return runs.in_directory(self._root)

    def remove(self, run: RunId) -> bool:
        """Remove all of a run, and return whether there was anything."""
        try:
            shutil.rmtree(self._place(run))
        except FileNotFoundError:
            return False
        return True

    def _place(self, run: RunId) -> Path:
        if parse_run_id(run) is None:
            raise ValueError(f"cannot keep streams of {run!r}: it is no run")
        return self._root / run


def _written(exec_: Exec) -> str:
    spec = exec_.spec
    return json.dumps(
        {
            "detached": exec_.detached,
            "created": exec_.created.isoformat(),
            "args": spec.args,
            "env": spec.env,
            "working_dir": spec.working_dir,
            "user": spec.user,
            "tty": spec.tty,
            "privileged": spec.privileged,
        }
    )


def _read(run: RunId, exec_: ExecId, text: str) -> Exec:
    found = json.loads(text)
    parsed = parse_run_id(run)
    assert parsed is not None
    spec = ExecSpec(
        args=tuple(found["args"]),
        env=tuple(found["env"]),
        working_dir=found["working_dir"],
        user=found["user"],
        tty=found["tty"],
        privileged=found.get("privileged", False),
    )
    created = datetime.fromisoformat(found["created"])
    return Exec(exec_, *parsed, spec, found["detached"], created)
