"""hosts, hostname and resolv.conf of one run: made by us, shown to the container by its spec.

They lie below the state directory, one directory a run. Whatever somebody may have put in
their place is replaced, never followed.
"""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from moored.model.identity import RunId, parse_run_id
from moored.storage import runs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

FILES: Final = {
    "/etc/hosts": "hosts",
    "/etc/hostname": "hostname",
    "/etc/resolv.conf": "resolv.conf",
}
"""Where the container sees each."""
_ROOT: Final = (0, 0)
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OLD_FILE: Final = os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class GeneratedFiles:
    def __init__(self, state: Path) -> None:
        self._root: Final = state / "runs"

    def write(
        self, run: RunId, texts: Mapping[str, str], owner: tuple[int, int] = (0, 0)
    ) -> Mapping[str, str]:
        """Write the files of ``run`` anew, by name, and return destination -> path on the host.

        ``owner`` are a user and a group of the host's.
        """
        with self._directory(run) as directory:
            for name, text in texts.items():
                _replace(directory, name, text, owner)
        return self.places(run)

    def rewrite(self, run: RunId, name: str, text: str) -> None:
        """Write another text into a file that is shown to the run already: it is the same file."""
        descriptor = os.open(self._place(run) / name, _OLD_FILE)
        with os.fdopen(descriptor, "w", errors="surrogateescape") as file:
            file.write(text)

    def read(self, run: RunId) -> Mapping[str, str]:
        """Return the texts of the files of ``run`` by name. Raises FileNotFoundError."""
        place = self._place(run)
        return {name: (place / name).read_text(errors="surrogateescape") for name in FILES.values()}

    def places(self, run: RunId) -> Mapping[str, str]:
        """Return destination -> path on the host, where the files of ``run`` are or would be."""
        place = self._place(run)
        return {destination: str(place / name) for destination, name in FILES.items()}

    def remove(self, run: RunId) -> bool:
        """Remove what was written for ``run``, and return whether there was anything."""
        place = self._place(run)
        try:
            if stat.S_ISDIR(place.lstat().st_mode):
                shutil.rmtree(place)
            else:
                place.unlink()
        except FileNotFoundError:
            return False
        return True

    def list(self) -> list[RunId]:
        """Return the runs that have files here. What has another name is not ours."""
        return runs.in_directory(self._root)

    def _place(self, run: RunId) -> Path:
        if parse_run_id(run) is None:
            raise ValueError(f"cannot keep files of {run!r}: it is no run")
        return self._root / run

    @contextmanager
    def _directory(self, run: RunId) -> Iterator[int]:
        place = self._place(run)
        for path in (self._root, place):
            if path.is_symlink() or (path.exists() and not path.is_dir()):
                path.unlink()
            path.mkdir(mode=0o755, parents=True, exist_ok=True)
        descriptor = os.open(place, _DIRECTORY)
        try:
            os.fchmod(descriptor, 0o755)
            yield descriptor
        finally:
            os.close(descriptor)


def _replace(directory: int, name: str, text: str, owner: tuple[int, int]) -> None:
    """Write a new file: one that is there may be a link, or be shown to somebody."""
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=directory)
    descriptor = os.open(name, _NEW_FILE, 0o644, dir_fd=directory)
    with os.fdopen(descriptor, "w", errors="surrogateescape") as file:
        os.fchmod(descriptor, 0o644)
        if owner != _ROOT:
            os.fchown(descriptor, *owner)
        file.write(text)
