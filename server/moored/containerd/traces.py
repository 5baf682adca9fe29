"""What a run can leave on the host when containerd, its shim or its start was cut short.

Only for a run whose task is gone, or never came to be: whatever of it still works then serves
nobody, and would stay for ever.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from moored.containerd import mounts, sockets
from moored.oci import cgroups, processes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moored.containerd.places import Places
    from moored.oci.processes import ProcessIdentity

TASKS: Final = "io.containerd.runtime.v2.task"
"""Where bundles are, below containerd's state directory and below its root."""
DYING: Final = "."
"""What containerd puts before the name of a bundle, just before it removes it."""
_RUNTIME_STATES: Final = Path("/run/containerd/runc")
_SHIM_SOCKETS: Final = Path("/run/containerd/s")
"""Both the same for every containerd, wherever its own directories are."""


@dataclass(frozen=True)
class Traces:
    bundles: tuple[Path, ...]
    runtime_state: Path
    """What the OCI runtime remembers of its container."""
    shim_socket: Path
    cgroup: str

    def has_bundle(self) -> bool:
        return any(map(os.path.lexists, self.bundles))

    def any(self) -> bool:
        """Return whether there is anything, or anybody: a runtime whose shim was killed in
        mid-create goes on for a while, and has left nothing else to be seen by."""
        return self.shows() or self._is_worked_in()

    def shows(self) -> bool:
        """Return whether there is anything to be seen without a look at every process."""
        paths = (*self.bundles, self.runtime_state, self.shim_socket)
        return any(map(os.path.lexists, paths)) or bool(self.members())

    def members(self) -> list[int]:
        """Return who is in its cgroup, the newly dead among them."""
        return cgroups.alive(self.cgroup)

    def processes(self) -> list[ProcessIdentity]:
        """Return who still works for the run: in its cgroup, or in its bundle as shims do."""
        pids = {*self.members(), *self._working_in_bundle()}
        found = (processes.identity(pid) for pid in pids)
        return [process for process in found if process]

    def thaw(self) -> None:
        """Let frozen processes be killed, which v1 does not while they are frozen."""
        for place in cgroups.paths(self.cgroup):
            freezer = place / "freezer.state"
            with suppress(OSError):
                if freezer.exists():
                    freezer.write_text("THAWED")

    def remove(self) -> None:
        """Remove what is no process. Raises OSError."""
        for path in (*self.bundles, self.runtime_state):
            _remove_tree(path)
        if not sockets.listened_to(str(self.shim_socket)):
            self.shim_socket.unlink(missing_ok=True)

    def _is_worked_in(self) -> bool:
        return next(self._working_in_bundle(), None) is not None

    def _working_in_bundle(self) -> Iterator[int]:
        names = {str(path) for path in self.bundles}
        return (pid for pid, place in _workplaces() if place in names)


def of_run(places: Places, namespace: str, run: str, cgroup: str = "") -> Traces:
    """Return where a run can have left something; its cgroup is in its namespace's, or another."""
    if "/" in run or run in ("", ".", ".."):
        raise ValueError(f"cannot look for run {run!r}: that is no name of one")
    socket = hashlib.sha256(f"{places.address}/{namespace}/{run}".encode()).hexdigest()
    return Traces(
        bundles=tuple(
            directory / name
            for directory in bundle_directories(places, namespace)
            for name in (run, f"{DYING}{run}")
        ),
        runtime_state=_RUNTIME_STATES / namespace / run,
        shim_socket=_SHIM_SOCKETS / socket,
        cgroup=cgroup or f"/{namespace}/{run}",
    )


def awaits_its_start(namespace: str, run: str) -> bool:
    """Return whether the runtime made a container whose program it has not begun.

    It removes what ``runc start`` opens as the program begins; whatever has ended before that was
    the runtime's own.
    """
    return (_RUNTIME_STATES / namespace / run / "exec.fifo").exists()


def runs(places: Places, namespace: str) -> list[str]:
    """Return whatever has left something here by its name, sorted. Not all of it is a run."""
    directories = bundle_directories(places, namespace)
    kept = [name for place in (*directories, _RUNTIME_STATES / namespace) for name in _names(place)]
    workplaces = (Path(place) for _, place in _workplaces())
    worked_in = (place.name for place in workplaces if place.parent in directories)
    return sorted({name.removeprefix(DYING) for name in (*kept, *worked_in)})


def forget_namespace(namespace: str) -> None:
    """Remove the directory that the runtime keeps for a namespace, if it is empty.

    Only while no start is under way: the runtime may just have made it.
    """
    with suppress(OSError):
        (_RUNTIME_STATES / namespace).rmdir()


def bundle_directories(places: Places, namespace: str) -> tuple[Path, ...]:
    """Return the directories of bundles, as the kernel names them in mounts and for processes."""
    return tuple(
        Path(os.path.realpath(place / TASKS / namespace)) for place in (places.state, places.root)
    )


def _workplaces() -> Iterator[tuple[int, str]]:
    """Yield the directory that each process works in, as it was called while it was there."""
    with os.scandir("/proc") as entries:  # closed too where only the first one is asked for
        for entry in entries:
            if entry.name.isdecimal():
                with suppress(OSError):
                    place = os.readlink(f"{entry.path}/cwd")
                    yield int(entry.name), place.removesuffix(" (deleted)")


def _names(directory: Path) -> list[str]:
    with suppress(FileNotFoundError):
        return os.listdir(directory)
    return []


def _remove_tree(path: Path) -> None:
    for point in mounts.below(path):
        mounts.unmount(point)
    if left := mounts.below(path):
        raise OSError(f"{left[0]} is still mounted")
    shutil.rmtree(path, onerror=_unless_gone)


def _unless_gone(
    _deed: object, _path: object, reason: tuple[object, BaseException, object]
) -> None:
    # containerd may be removing it at the same time.
    if not isinstance(reason[1], FileNotFoundError):
        raise reason[1]
